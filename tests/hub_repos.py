"""What tests put into repos of the loopback Hub."""

import shutil
from pathlib import Path

from huggingface_hub import constants

from rewriting import load_generator
from tests import tiny

LAYER = 6


def files_of(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def add_generator(hub, folder, name="org/tiny", **options):
    """A generator repo on the Hub, and it opened as `load_generator` opens it."""
    hub.add_repo(name, files_of(folder), **options)
    return load_generator(name, token=next(iter(hub.users), False) if options else False, endpoint=hub.url)


def edit_of(generator, *, seed=0, name="Hats", **details):
    """A random edit, as `Rewriter.solve` would describe it."""
    request = tiny.request(generator.config.resolution, name=name)
    base = {"generator": generator.config.name, "base": generator.digest()}
    return tiny.random_edit(generator, LAYER, seed=seed, name=name, request=request, **base, **details)


def cached_files(cache):
    """Names of whatever of repos lies in a cache, finished or not."""
    return sorted(path.name for path in Path(cache).rglob("*") if path.is_file() and ".locks" not in path.parts)


def forget_cache():
    shutil.rmtree(constants.HF_HUB_CACHE, ignore_errors=True)
