"""Open the studio: run `python app.py` and open the address that it prints.  `--help` lists the options."""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

# Set before PyTorch is imported: waiting threads sleep instead of spinning.  Spinning threads would make two visitors
# (or two programs) on two cores ten times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if os.environ.get("SPACES_ZERO_GPU"):
    import spaces  # noqa: F401 - must be imported before PyTorch on a ZeroGPU Space

from rewriting.cli import INTERRUPTED, fail
from rewriting.cli.options import add_device, choose_device, foreign_facts, note
from rewriting.generators import heap
from rewriting.studio import serving

if TYPE_CHECKING:
    import gradio as gr

    from rewriting.generators import Generator
    from rewriting.studio.service import Service

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # the Hub's client tells of each attempt; the page says what came
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

EXAMPLES = """examples:
  python app.py
  python app.py --generator horse --port 8000
  python app.py --generator my-generator       a folder from `python -m rewriting convert`
  python app.py --generator somebody/churches  a repo on the Hugging Face Hub
  python app.py --generator stylegan2.pt       a checkpoint of another program
"""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Change the rules of an image generator, in a browser.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--generator", default="face", metavar="NAME", help="first generator (default: face)")
    parser.add_argument(
        "--port",
        type=port,
        default=os.environ.get(serving.PORT) or None,
        metavar="N",
        help=f"port of the page (default: {serving.PORT}, or the first free port from 7860)",
    )
    parser.add_argument("--share", action="store_true", help="also serve the page at a public address, for a week")
    add_device(parser)
    parser.add_argument(
        "--memory",
        type=megabytes,
        metavar="MB",
        help="size of the cache of features and pictures (default: 1/32 of the machine's memory, from 256 to 512)",
    )
    parser.add_argument(
        "--mcp",
        action="store_true",
        help='offer the endpoints as MCP tools; needs pip install "gradio[mcp]"',
    )
    return parser.parse_args(arguments)


def port(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 65535")
    return int(text)


def megabytes(text: str) -> int:
    if not (text.isdecimal() and 64 <= int(text) <= 1 << 20):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of megabytes from 64 to {1 << 20}")
    return int(text)


def open_service(
    device: str, first: str, precision: str = "float32", memory: int | None = None
) -> tuple[Service, str]:
    """The service of the page, with generators on the device, and the service's key of the generator `first`.

    memory: size of the cache in bytes; by default as suits this machine.

    Raises the errors of `load_generator`.
    """
    from rewriting import load_generator, zerogpu
    from rewriting.generators import bundled
    from rewriting.generators.precision import dtype_of
    from rewriting.studio.generator_keys import key_named
    from rewriting.studio.service import Service

    chosen = choose_device("cpu" if zerogpu.present() else device)  # in this process ZeroGPU only emulates a GPU

    def prepare(generator: Generator) -> Generator:
        generator.to(chosen).compute_dtype = dtype_of(precision)
        return generator

    def load(name: str) -> Generator:  # a name from the command line, never a visitor's: it may be a path
        path = Path(name).expanduser()
        return prepare(load_generator(path if name not in bundled() and path.exists() else name))

    generator = load(first)
    if generator.source.file:
        note(foreign_facts(generator))
    room = serving.room_for_results() if memory is None else memory
    service, key = Service(load, prepare=prepare, memory=room), key_named(first, generator)
    service.add(key, generator)
    return service, key


def draw_while_importing(service: Service, first: str) -> None:
    """Import gradio, which keeps one core busy for seconds, and meanwhile draw the pictures of the first sheet."""
    from rewriting.studio.state import PAGE

    importing = threading.Thread(target=import_module, args=("rewriting.studio.page",), daemon=True)
    importing.start()
    for seed in range(0 if service.backend(first).at_once else PAGE):
        if importing.is_alive():
            service.pictures(first, [seed])
    importing.join()


def warm(service: Service, first: str, stopped: threading.Event) -> None:
    """Prepare the presets' layers in the background, so that the first press answers sooner."""
    from rewriting.core.presets import presets
    from rewriting.generators import bundled
    from rewriting.studio.fair_queue import give_way

    give_way()
    if first in bundled():
        for preset in sorted(presets().values(), key=lambda preset: preset.generator != first):
            for _ in service.warm(preset.name):
                if stopped.is_set():
                    return
    service.draw_ahead(service.open(first))  # of another generator alone: the presets are not for it


def launch(service: Service, options: argparse.Namespace, name: str) -> gr.Blocks:
    """Serve the page.  name: of the address to listen on; see `serving.server_name`.

    Raises OSError if the port is taken.
    """
    import gradio as gr

    from rewriting.hub.client import PUBLIC
    from rewriting.studio.page import CSS, ICON, build

    if options.share or serving.reached_by_others(name):
        os.environ[PUBLIC] = "1"  # from now on, no call may use this machine's files or login
    page = build(service, options.generator)
    if options.mcp:
        from rewriting.studio.programs import mcp_tools

        mcp_tools.install()
    page.launch(
        prevent_thread_lock=True,
        server_name=name,
        server_port=options.port,
        share=options.share,
        theme=gr.themes.Default(primary_hue="indigo", neutral_hue="slate", font=["Inter", "system-ui", "sans-serif"]),
        css=CSS,
        favicon_path=ICON,
        ssr_mode=False,
        run_history=False,
        state_session_capacity=500,
        max_file_size="64mb",
        footer_links=["api"],
        show_error=True,
        mcp_server=options.mcp,
    )
    return page


def serve(service: Service, options: argparse.Namespace, name: str) -> None:
    """Launch the page and keep it until it is interrupted."""
    # gradio asks its own server whether it has started; the service for public addresses is elsewhere
    with serving.without_proxies(*(["localhost", name.strip("[]")] if options.share else [])):
        draw_while_importing(service, options.generator)
        page = launch(service, options, name)
    stopped = threading.Event()
    threading.Thread(target=warm, args=(service, options.generator, stopped)).start()
    try:
        page.block_thread()
    finally:
        stopped.set()


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0; 2 with one sentence on stderr; 130 for Ctrl-C before the page is there."""
    options = parse(arguments)
    if options.mcp and importlib.util.find_spec("mcp") is None:
        return fail(ValueError('--mcp needs the package "mcp"; run pip install "gradio[mcp]" first.'))
    heap.hold()
    told = [os.environ.pop(setting, "") for setting in (serving.NAME, serving.PORT)]  # gradio misunderstands both
    try:
        name = serving.server_name(told[0])
        if options.share:
            serving.check_proxies()
        with serving.folder_for_files():
            memory = options.memory and options.memory << 20
            service, options.generator = open_service(options.device, options.generator, options.precision, memory)
            serve(service, options, name)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ValueError, OSError) as error:
        if "empty port" not in str(error):
            return fail(error)
        taken = options.port or "7860 and those after it"  # gradio's own sentence speaks of its source code
        return fail(OSError(f"Port {taken} is taken; give another with --port."))
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up as for Ctrl-C
    sys.exit(main())
