"""The command line: what it draws, solves and writes is what Python does; what goes wrong is one sentence."""

import argparse
import errno
import json
import os
import re
import runpy
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from PIL import Image

from rewriting import Edit, EditStack, Rewriter, cli, load_generator
from rewriting.cli import options
from rewriting.cli.sampling import parse_seeds
from rewriting.core import contact_sheet, memory
from rewriting.core.presets import presets
from rewriting.generators import bundled
from rewriting.generators.config import MOMENTS
from tests import tiny
from tests.full_disk import full_disk
from tests.surroundings import PATIENCE

pytest_plugins = ("tests.hub_fixtures",)

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [README, *(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md")))]
LAYER = 6


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A generator folder, `tiny`, and an edit folder for it, `rule`."""
    home = tmp_path_factory.mktemp("made")
    tiny.generator(name="tiny").save(home / "tiny")
    generator = load_generator(home / "tiny")
    edit = Rewriter(generator, LAYER).solve(tiny.request(name="A rule", generator="tiny"), rank=2, locality=1.0)
    edit.save(home / "rule")
    return home


def run(*arguments):
    """The exit code of a command, given as its words."""
    return cli.main([str(argument) for argument in arguments])


def refused(capsys, *arguments):
    """The sentence with which a command fails."""
    assert run(*arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and tiny.is_one_sentence(said.strip()), said
    return said


def shown(path):
    """A picture file's pixels, (H, W, 3)."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def parsers():
    """{command: its parser}"""
    actions = cli.parser()._actions
    return next(action.choices for action in actions if isinstance(action, argparse._SubParsersAction))


def commands_in(text):
    """The words after `python -m rewriting` in lines that begin so."""
    return [shlex.split(line)[3:] for line in re.findall(r"^\s*(python -m rewriting .*)$", text, re.M)]


# --- help ------------------------------------------------------------------------------------------------------------


def heavy_modules_of(*arguments):
    """What a command prints, and which of the modules that take long to import it has imported in the end."""
    code = (
        f"import runpy, sys; sys.argv[1:] = {list(arguments)}\n"
        "try: runpy.run_module('rewriting', run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    print(end.code, *{'torch', 'gradio', 'huggingface_hub', 'numpy', 'PIL'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    said, _, last = done.stdout.rstrip("\n").rpartition("\n")
    code, *heavy = last.split()
    assert code == "0"
    return said, set(heavy)


def test_help_appears_without_importing_anything_heavy():
    said, heavy = heavy_modules_of("--help")
    assert "commands:" in said and "examples:" in said and not heavy


def test_the_list_of_models_appears_without_importing_anything_heavy():
    said, heavy = heavy_modules_of("models")
    assert "church" in said and "Horses wear hats" in said and not heavy


@pytest.mark.parametrize("name", sorted(parsers()))
def test_every_command_explains_itself_by_examples_that_it_would_accept(name):
    text = parsers()[name].format_help()
    given = commands_in(text)
    assert name in [words[0] for words in given]
    for words in given:
        assert callable(cli.parser().parse_args(words).run)


def test_the_commands_of_readme_and_docs_are_commands():
    blocks = [block for page in PAGES for block in re.findall(r"```bash\n(.*?)```", page, re.S)]
    given = [words for block in blocks for words in commands_in(block)]
    assert {words[0] for words in given} <= parsers().keys()
    for words in given:
        assert callable(cli.parser().parse_args(words).run)


def test_the_presets_that_readme_and_help_name_are_there():
    text = "".join(PAGES) + cli.parser().format_help() + "".join(parser.format_help() for parser in parsers().values())
    named = re.findall(r"(?:--preset |presets/)([a-z-]+)\b", text)
    assert set(named) <= presets().keys() and named


def test_the_links_of_readme_and_docs_lead_somewhere():
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
        local = [target for target in targets if "://" not in target]
        assert [target for target in local if not (page.parent / target).exists()] == []


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    (code,) = [code for code in re.findall(r"```python\n(.*?)```", README, re.S) if "from rewriting" in code]
    (tmp_path / "code.py").write_text(code, encoding="utf-8")
    (tmp_path / "presets").symlink_to(ROOT / "presets")
    monkeypatch.chdir(tmp_path)
    names = runpy.run_path("code.py")
    before, after, _ = map(float, capsys.readouterr().out.split())
    assert after < before
    assert names["before"].shape == names["after"].shape == (6, 256, 256, 3)
    assert not np.array_equal(names["before"], names["after"])
    assert not np.array_equal(names["after"], names["opposite"])
    assert np.array_equal(load_generator(tmp_path / "my-model").images(range(6)), names["after"])


# --- sample ----------------------------------------------------------------------------------------------------------


def test_a_sheet_shows_the_pictures_in_order(made, tmp_path):
    out = tmp_path / "new" / "sheet.png"
    assert run("sample", "--generator", made / "tiny", "--seeds", "3,7-9", "--out", out) == 0
    pictures = load_generator(made / "tiny").images([3, 7, 8, 9])
    sheet = shown(out)
    corners = [(0, 0), (0, -32), (-32, 0), (-32, -32)]
    for picture, (top, left) in zip(pictures, corners, strict=True):
        assert np.array_equal(np.roll(sheet, (-top, -left), (0, 1))[:32, :32], picture)


def test_a_sheet_notes_how_it_was_drawn(made, tmp_path):
    base = ("sample", "--generator", made / "tiny", "--edit", made / "rule", "--strength", "-0.5", "--seeds", "3,7-9")
    assert run(*base, "--truncation", "0.8", "--out", tmp_path / "sheet.png") == 0
    with Image.open(tmp_path / "sheet.png") as picture:
        noted = json.loads(picture.info[contact_sheet.NOTE])
    generator = load_generator(made / "tiny")
    assert (noted["weights"], noted["truncation"], noted["size"]) == (generator.digest(), 0.8, 32)
    assert noted["pictures"] == [3, 7, 8, 9] and noted["rules"] == [{"name": "A rule", "strength": -0.5}]


@pytest.mark.parametrize("name", ["psi0.7", "psi0.7/", "v1.0", "v1.0/", "faces.png/"])
def test_a_folder_may_have_any_name(made, tmp_path, name):
    assert run("sample", "--generator", made / "tiny", "--seeds", "0-1", "--out", f"{tmp_path}/{name}") == 0
    assert sorted(os.listdir(tmp_path / name)) == ["seed0000.png", "seed0001.png"]


def test_a_folder_that_is_there_is_no_file_whatever_it_is_called(made, tmp_path):
    (tmp_path / "old.png").mkdir()
    assert run("sample", "--generator", made / "tiny", "--seeds", "0", "--out", tmp_path / "old.png") == 0
    assert os.listdir(tmp_path / "old.png") == ["seed0000.png"]


def test_a_folder_gets_a_file_for_each_seed(made, tmp_path):
    assert run("sample", "--generator", made / "tiny", "--seeds", "0-17", "--size", "16", "--out", tmp_path / "f") == 0
    assert sorted(os.listdir(tmp_path / "f")) == [f"seed{seed:04d}.png" for seed in range(18)]
    for seed, picture in enumerate(load_generator(made / "tiny").images(range(18), size=16)):
        assert np.array_equal(shown(tmp_path / "f" / f"seed{seed:04d}.png"), picture)


def test_rules_and_their_strength_reach_the_pictures(made, tmp_path):
    base = ("sample", "--generator", made / "tiny", "--seeds", 5, "--truncation", "0.8")
    assert run(*base, "--edit", made / "rule", made / "rule", "--strength", "-0.5", "--out", tmp_path / "f") == 0
    generator, edit = load_generator(made / "tiny"), Edit.load(made / "rule").with_(strength=-0.5)
    drawn = shown(tmp_path / "f" / "seed0005.png")
    assert np.array_equal(drawn, generator.images([5], [edit, edit], truncation=0.8)[0])
    assert not np.array_equal(drawn, generator.images([5], truncation=0.8)[0])


def test_what_is_there_is_not_drawn_again(made, tmp_path, capsys):
    sample = ("sample", "--generator", made / "tiny", "--out", tmp_path)
    assert run(*sample, "--seeds", "0-19") == 0
    lost = tmp_path / "seed0004.png"
    content = lost.read_bytes()
    lost.unlink()
    times = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert run(*sample, "--seeds", "0-20") == 0
    assert "Drew 2 pictures" in (said := capsys.readouterr().out) and "19 were there already" in said
    assert lost.read_bytes() == content
    assert times == {name: (tmp_path / name).stat().st_mtime_ns for name in times}
    assert run(*sample, "--seeds", "0-3", "--overwrite") == 0
    assert times["seed0000.png"] < (tmp_path / "seed0000.png").stat().st_mtime_ns


@pytest.mark.parametrize("change", ["--edit", "--truncation", "--size", "--precision"])
def test_pictures_of_other_settings_are_not_mixed(made, tmp_path, capsys, change):
    sample = ("sample", "--generator", made / "tiny", "--seeds", "1-2", "--out", tmp_path)
    assert run(*sample) == 0
    before = (tmp_path / "seed0001.png").read_bytes()
    value = {"--edit": made / "rule", "--truncation": 0.5, "--size": 8, "--precision": "bfloat16"}[change]
    assert "seed0001.png was drawn with other settings" in refused(capsys, *sample, change, value)
    assert (tmp_path / "seed0001.png").read_bytes() == before
    assert run(*sample, change, value, "--overwrite") == 0
    assert (tmp_path / "seed0001.png").read_bytes() != before


def test_a_file_in_their_place_that_is_no_picture_is_named(made, tmp_path, capsys):
    (tmp_path / "seed0001.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    sample = ("sample", "--generator", made / "tiny", "--seeds", "1-2", "--out", tmp_path)
    assert "seed0001.png is not a whole PNG; give another --out, or --overwrite" in refused(capsys, *sample)
    assert run(*sample, "--overwrite") == 0 and shown(tmp_path / "seed0001.png").shape == (32, 32, 3)


def test_what_the_system_says_without_a_name_becomes_a_sentence(capsys):
    assert cli.fail(OSError(errno.ENOSPC, "No space left on device")) == 2
    assert capsys.readouterr().err == "error: A file cannot be read or written: the disk is full.\n"


def test_an_interrupted_folder_is_completed_later(made, tmp_path):
    words = ["sample", "--generator", str(made / "tiny"), "--out", str(tmp_path), "--device", "cpu"]
    everything = [sys.executable, "-m", "rewriting", *words, "--seeds", "0-999999"]
    process = subprocess.Popen(everything, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    give_up = time.monotonic() + PATIENCE
    while not (tmp_path / "seed0040.png").exists():
        assert process.poll() is None and time.monotonic() < give_up
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 130 and "Traceback" not in said
    whole = sorted(tmp_path.glob("seed*.png"))
    assert all(shown(path).shape == (32, 32, 3) for path in whole)
    assert run(*words, "--seeds", f"0-{len(whole) + 4}") == 0
    assert len(sorted(tmp_path.glob("seed*.png"))) == len(whole) + 5


def test_a_preset_draws_its_rule_on_its_generator(tmp_path):
    preset = next(iter(presets().values()))
    seeds = preset.shown[:2] or [30, 31]
    words = ("sample", "--preset", preset.name, "--seeds", ",".join(map(str, seeds)), "--size", 64)
    assert run(*words, "--out", tmp_path) == 0
    generator = load_generator(preset.generator)
    edit = Rewriter(generator, preset.request.layer).solve(preset.request)
    expected = generator.images(seeds, [edit], 64)
    for seed, picture in zip(seeds, expected, strict=True):
        assert np.array_equal(shown(tmp_path / f"seed{seed:04d}.png"), picture)


@pytest.mark.parametrize(
    ("text", "seeds"), [("4", [4]), ("0-3", [0, 1, 2, 3]), ("3, 8,20-22", [3, 8, 20, 21, 22]), ("9-9,1", [9, 1])]
)
def test_seeds_are_read_as_people_write_them(text, seeds):
    assert [seed for part in parse_seeds(text) for seed in part] == seeds


@pytest.mark.parametrize("text", ["", "5-2", "-3", "1,,2", "a", "1-2-3", "1.5", "4294967296", "²"])
def test_what_are_no_seeds_is_said(text):
    with pytest.raises(ValueError, match="cannot be read") as raised:
        parse_seeds(text)
    assert tiny.is_one_sentence(str(raised.value))


# --- apply and merge -------------------------------------------------------------------------------------------------


def test_apply_solves_what_python_solves_and_reports_it(made, tmp_path, capsys):
    tiny.request(layer=LAYER, rank=4, generator="tiny").save(tmp_path / "hats.json")
    words = ("--generator", made / "tiny", "--request", tmp_path / "hats.json", "--out", tmp_path / "rule")
    assert run("apply", *words, "--rank", 2, "--locality", 3, "--seeds", "4-6") == 0
    said, edit = capsys.readouterr().out, Edit.load(tmp_path / "rule")
    request = tiny.request(layer=LAYER, generator="tiny")
    expected = Rewriter(load_generator(made / "tiny"), LAYER).solve(request, rank=2, locality=3.0)
    assert torch.equal(edit.factor, expected.factor) and torch.equal(edit.directions, expected.directions)
    assert (edit.layer, edit.rank, edit.request.locality, edit.name) == (LAYER, 2, 3.0, "hats")
    assert f"layer {LAYER}, rank 2" in said
    assert f"{expected.report.loss_before:.4g} -> {expected.report.loss_after:.4g}" in said
    assert f"{expected.report.elsewhere:.1%}" in said
    assert shown(tmp_path / "rule" / "before.webp").shape == (32, 3 * 32, 3)
    assert shown(tmp_path / "rule" / "sheet.png").shape == (2 * 32 + 4, 3 * 32, 3)


def test_a_request_can_be_taken_from_a_rule_and_solved_on_other_weights(made, tmp_path, capsys):
    tiny.generator(seed=1, name="another").save(tmp_path / "another")
    again = ("apply", "--generator", tmp_path / "another", "--request", made / "rule", "--out", tmp_path / "again")
    assert "error: The request was made on pictures of 'tiny'" in refused(capsys, *again)
    assert not (tmp_path / "again").exists()
    assert run(*again, "--for-other-pictures", "--name", "Once more") == 0
    edit = Edit.load(tmp_path / "again")
    assert edit.request.generator == edit.generator == "another"
    assert edit.name == "Once more" and edit.layer == LAYER
    edit.check_fits(load_generator(tmp_path / "another"))


def test_merge_writes_a_generator_that_draws_by_the_rules(made, tmp_path):
    assert run("merge", "--generator", made / "tiny", "--edit", made / "rule", "--out", tmp_path / "merged") == 0
    merged, edits = load_generator(tmp_path / "merged"), EditStack.load(made / "rule")
    assert np.array_equal(merged.images([0, 1]), load_generator(made / "tiny").images([0, 1], edits))


def test_nothing_is_written_over_a_folder_of_another_kind(made, tmp_path, capsys):
    before = {path.name: path.read_bytes() for path in (made / "tiny").iterdir()}
    tiny.request(layer=LAYER, generator="tiny").save(tmp_path / "request.json")
    words = ("--generator", made / "tiny", "--request", tmp_path / "request.json", "--out", made / "tiny")
    assert "already holds another format" in refused(capsys, "apply", *words)
    assert before == {path.name: path.read_bytes() for path in (made / "tiny").iterdir()}


# --- generators ------------------------------------------------------------------------------------------------------


def test_models_lists_all_generators_and_rules(capsys):
    assert run("models") == 0
    said = capsys.readouterr().out
    listed = {line.split()[0] for line in said.splitlines() if line.startswith("  ")}
    assert {*bundled(), *presets()} <= listed


def test_convert_writes_a_generator_that_draws_the_same_pictures(tmp_path, capsys):
    state = tiny.stylegan2_state(noise=True)
    torch.save({"g_ema": {k: v for k, v in state.items() if k != "latent_avg"}}, tmp_path / "horses.pt")
    assert run("convert", tmp_path / "horses.pt", tmp_path / "horses", "--name", "Horses") == 0
    assert "Horses, StyleGAN2, 32 px, layers 2 to 8" in capsys.readouterr().out
    converted, z = load_generator(tmp_path / "horses"), torch.randn(2, tiny.Z_DIM, generator=torch.manual_seed(0))
    with torch.no_grad():
        assert torch.equal(converted(z), tiny.generator(noise=True)(z))


def test_a_file_of_another_program_opens_in_every_command(made, tmp_path, monkeypatch, capsys):
    state = tiny.generator(noise=True).state_dict()
    torch.save({"g_ema": state, "latent_avg": state["latent_avg"]}, tmp_path / "net.pt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REWRITING_CACHE", str(tmp_path / "cache"))
    net = ("--generator", "net.pt")
    assert run("sample", *net, "--seeds", "0-3", "--out", "before.png") == 0
    said = capsys.readouterr().err
    assert "note: net.pt is a StyleGAN2 of 32 px, with layers 2 to 8; its licence is not stated" in said
    assert np.array_equal(shown("before.png")[:32, :32], tiny.generator(noise=True).images([0])[0])
    asked = ("--request", made / "rule", "--for-other-pictures")
    assert run("apply", *net, *asked, "--rank", 2, "--out", "rule") == 0
    assert run("sample", *net, "--edit", "rule", "--seeds", "0-3", "--out", "after.png") == 0
    assert not np.array_equal(shown("before.png"), shown("after.png"))
    assert run("search", *net, *asked, "--seeds", "0-9", "--best", 3) == 0
    assert run("moments", *net, "--batch", 50) == 0
    assert run("merge", *net, "--edit", "rule", "--out", "merged") == 0
    assert np.array_equal(shown("after.png")[:32, :32], load_generator("merged").images([0])[0])


def test_what_is_on_the_hub_opens_by_every_name_and_several_are_listed(tmp_path, only_hub, monkeypatch, capsys):
    hub, state = only_hub, tiny.generator(noise=True).state_dict()
    torch.save({"g_ema": state, "latent_avg": state["latent_avg"]}, tmp_path / "net.pt")
    data = (tmp_path / "net.pt").read_bytes()
    hub.add_repo("org/nets", {"a.pt": data, "old/b.pt": data})
    monkeypatch.chdir(tmp_path)
    assert run("sample", "--generator", "org/nets", "--out", "x.png") == 2
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "error: org/nets holds 2 files that may be generators; name one of them:"
    assert [line.split()[0] for line in said[1:]] == ["org/nets:a.pt", "org/nets:old/b.pt"]
    names = ("org/nets:a.pt", "org/nets/old", "hf://org/nets@main/a.pt", f"{hub.url}/org/nets/blob/main/a.pt")
    for number, name in enumerate(names):
        assert run("sample", "--generator", name, "--seeds", "0", "--out", f"{number}.png") == 0
        assert np.array_equal(shown(f"{number}.png"), tiny.generator(noise=True).images([0])[0])
    assert run("convert", "org/nets:a.pt", "a") == 0
    assert load_generator("a").config.extra["base_model"]["repo_id"] == "org/nets"


def test_moments_are_measured_for_all_layers_and_kept_beside_the_generator(made, tmp_path):
    generator = load_generator(made / "tiny")
    generator.save(tmp_path / "tiny")
    assert run("moments", "--generator", tmp_path / "tiny", "--batch", 50) == 0
    key = memory.content_key(generator, None, memory.SAMPLES)
    for layer, moment in memory.second_moments(generator, list(generator.layers)).items():
        kept = memory.read_moment(tmp_path / "tiny" / MOMENTS, layer, len(moment), key)
        # stored as float32; batches of another size also add up in another order
        assert torch.allclose(kept, moment, rtol=2e-6, atol=1e-6 * float(moment.abs().max()))


def test_moments_that_cannot_be_kept_there_are_not_even_measured(made, tmp_path, monkeypatch, capsys):
    load_generator(made / "tiny").save(tmp_path / "tiny")
    (tmp_path / "tiny" / MOMENTS).mkdir()
    monkeypatch.setattr(memory, "second_moments", lambda *_, **__: pytest.fail("it was measured"))
    said = refused(capsys, "moments", "--generator", tmp_path / "tiny")
    assert (
        said == f"error: {MOMENTS} cannot be written: a folder has its name; correct that, or choose another folder.\n"
    )


def test_moments_for_which_there_is_no_room_any_more_are_kept_in_the_cache(made, tmp_path, monkeypatch, capsys):
    generator = load_generator(made / "tiny")
    generator.save(tmp_path / "tiny")
    monkeypatch.setenv("REWRITING_CACHE", str(tmp_path / "cache"))
    written = memory.write_tensors

    def full(path, *rest):
        if path.name == MOMENTS:
            raise OSError(f"{MOMENTS} cannot be written: the disk is full; correct that, or choose another folder.")
        written(path, *rest)

    monkeypatch.setattr(memory, "write_tensors", full)
    assert run("moments", "--generator", tmp_path / "tiny", "--batch", 50) == 0
    assert "the disk is full" in (said := capsys.readouterr().err) and "the cache holds the moments" in said
    monkeypatch.setattr(memory, "second_moments", lambda *_, **__: pytest.fail("it was measured again"))
    rewriter = Rewriter(load_generator(tmp_path / "tiny"), LAYER)
    assert rewriter.second_moment().trace() > 0


def test_merge_on_a_full_disk_ends_in_one_sentence_and_leaves_nothing(made, tmp_path, capsys):
    with full_disk():
        said = refused(capsys, "merge", "--generator", made / "tiny", "--edit", made / "rule", "--out", tmp_path / "m")
    assert "cannot be written: no file may be that large there" in said
    assert not list(tmp_path.iterdir())


def test_a_sheet_that_its_format_cannot_hold_is_not_drawn(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(contact_sheet.LONGEST, "WEBP", 100)
    monkeypatch.setattr(Rewriter, "matches", lambda *_, **__: pytest.fail("pictures were looked at"))
    monkeypatch.setattr(Rewriter, "solve", lambda *_, **__: pytest.fail("a rule was solved"))
    out = tmp_path / "x.webp"
    for words in (
        ("sample", "--generator", made / "tiny", "--seeds", "0-8", "--out", out),
        ("search", "--generator", made / "tiny", "--request", made / "rule", "--best", 9, "--out", out),
    ):
        said = refused(capsys, *words)
        assert "A sheet of 9 pictures of 32 px is 104 pixels wide, and a .webp holds at most 100; write .png" in said
    assert run("sample", "--generator", made / "tiny", "--seeds", "0-8", "--size", 16, "--out", out) == 0


def test_a_request_is_taken_out_of_a_zip_that_the_studio_saved(made, tmp_path):
    EditStack.load(made / "rule").save_archive(tmp_path / "rule.ZIP")
    assert run("apply", "--generator", made / "tiny", "--request", tmp_path / "rule.ZIP", "--out", tmp_path / "r") == 0
    assert EditStack.load(tmp_path / "r")[0].request.context == tiny.request().context


# --- the Hub ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def only_hub(hub, monkeypatch):
    """The loopback Hub as the one that is asked when no other is named."""
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
    return hub


def test_push_publishes_a_rule_that_sample_then_opens(made, tmp_path, only_hub, monkeypatch, capsys):
    hub = only_hub
    token = hub.add_user("alice")
    assert run("push", made / "rule", "--repo", "alice/hats", "--private", "--token", token) == 0
    assert f"Created {hub.url}/alice/hats (private)" in capsys.readouterr().out
    monkeypatch.setenv("HF_TOKEN", token)
    out = tmp_path / "sheet.png"
    assert run("sample", "--generator", made / "tiny", "--edit", "alice/hats", "--seeds", 2, "--out", out) == 0
    expected = load_generator(made / "tiny").images([2], EditStack.load(made / "rule"))[0]
    assert np.array_equal(shown(out), expected)


def test_push_opens_a_pull_request_on_somebody_elses_repo(made, tmp_path, only_hub, capsys):
    alice, bob = only_hub.add_user("alice"), only_hub.add_user("bob")
    weaker = Edit.load(made / "rule").with_(strength=0.5).save(tmp_path / "weaker")
    assert run("push", made / "rule", "--repo", "alice/hats", "--token", alice) == 0
    assert run("push", weaker, "--repo", "alice/hats", "--pull-request", "--token", bob) == 0
    assert "Opened a pull request" in capsys.readouterr().out


def test_deploy_sends_the_checkout(only_hub, tmp_path, monkeypatch, capsys):
    for name in ("app.py", "requirements.txt", "README.md", "LICENSE", "rewriting/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr("rewriting.hub.space.checkout", lambda command: tmp_path)
    words = ("--space", "alice/studio", "--hardware", "cpu-basic", "--token", only_hub.add_user("alice"))
    assert run("deploy", *words) == 0
    assert f"Created {only_hub.url}/spaces/alice/studio" in capsys.readouterr().out


# --- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("sample --generator nowhere --out x.png", "no generator 'nowhere'"),
        ("sample --generator x.pt --out x.png", "There is no file 'x.pt'"),
        ("sample --generator ./face --out x.png", "There is no folder './face'"),
        ("sample --generator models/face --out x.png", "There is no folder 'models/face'"),
        ("sample --generator {tiny} --edit models/rule --out x.png", "There is no folder 'models/rule'"),
        ("sample --generator {tiny} --edit face --out x.png", "'face' is a bundled generator"),
        ("sample --out x.png", "--generator or --preset"),
        ("sample --preset nothing --out x.png", "no preset 'nothing'"),
        ("sample --generator {tiny} --size 33 --out x.png", "size 33"),
        ("sample --generator {tiny} --truncation nan --out x.png", "truncation must be a number from 0 to 2, not nan"),
        (
            "sample --generator {tiny} --edit {rule} --strength 99 --out x.png",
            "strength must be a number from -10 to 10",
        ),
        ("sample --generator {tiny} --seeds 0-256 --out x.png", "too many for a sheet"),
        ("sample --generator {tiny} --out x.gif", "neither a folder nor one of"),
        ("sample --generator {tiny} --out {tiny}/config.json", "is an existing file and not a picture"),
        ("search --generator {tiny} --request {rule} --out found.gif", "is not a picture file"),
        ("search --generator {tiny} --request {rule} --out found/", "is not a picture file"),
        ("sample --generator {tiny} --batch 0 --out x.png", "--batch is 0"),
        ("sample --generator {tiny} --device tpu --out x.png", "no device 'tpu'"),
        ("sample --generator {tiny} --out {tiny}/config.json/x.png", "x.png cannot be written: a part of its path"),
        ("sample --generator {tiny} --out {tiny}/config.json/x", "seed0000.png cannot be written: a part of its path"),
        ("search --generator {tiny} --request {rule} --out {rule}/config.json/x.png", "x.png cannot be written"),
        ("merge --generator {tiny} --edit {rule} --out {tiny}/config.json/x", "config.json cannot be written"),
        ("apply --generator {tiny} --request missing.json --out x", "There is no missing.json in this folder"),
        (
            "apply --generator {tiny} --request {rule} --rank 0 --out x",
            "rank must be a whole number",
        ),
        ("apply --generator {tiny} --request {rule} --layer 20 --out x", "layer 20"),
        ("apply --generator {tiny} --request {rule} --seeds 0-12 --out x", "13 pictures"),
        ("apply --generator {tiny} --request {rule} --out {tiny}/config.json", "is a file"),
        ("merge --generator church --edit {rule} --out x", "A rule"),
        ("convert missing.pt x", "missing.pt"),
        ("push {rule} --repo a/b", "not logged in"),
        ("deploy --space a/b --hardware cpu-basic", "not logged in"),
    ],
)
def test_mistakes_end_in_one_sentence(made, tmp_path, monkeypatch, capsys, words, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    arguments = words.format(tiny=made / "tiny", rule=made / "rule").split()
    assert says in refused(capsys, *arguments)
    assert not list(tmp_path.iterdir())


def test_the_reader_of_the_output_may_leave():
    command = f"{shlex.quote(sys.executable)} -m rewriting models | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.count("\n") == 1 and not done.stderr


@pytest.mark.parametrize("name", ["tpu", "", "cuda:x", "cpu:0", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(ValueError, match="device") as raised:
        options.choose_device(name)
    assert tiny.is_one_sentence(str(raised.value))


def test_the_device_is_chosen_by_what_there_is(monkeypatch):
    for present, kind in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda present=present: present)
        monkeypatch.setattr(torch.cuda, "device_count", lambda present=present: int(present))
        assert options.choose_device("auto").type == kind
    assert options.choose_device("cpu").type == "cpu"


# --- retouched pictures ----------------------------------------------------------------------------------------------


def reddened(picture, path, box=(8, 20, 8, 20)):
    """A picture with a red square, saved as any program would."""
    top, bottom, left, right = box
    picture = picture.copy()
    picture[top:bottom, left:right] = (220, 30, 30)
    Image.fromarray(picture).save(path, quality=90)
    return path


def white(path, box=(8, 20, 8, 20)):
    top, bottom, left, right = box
    mask = np.zeros((32, 32), np.uint8)
    mask[top:bottom, left:right] = 255
    Image.fromarray(mask).save(path)
    return path


def test_apply_learns_retouched_pictures(made, tmp_path, capsys):
    generator = load_generator(made / "tiny")
    for seed, picture in zip((3, 8), generator.images([3, 8]), strict=True):
        reddened(picture, tmp_path / f"{seed}.jpg")
    white(tmp_path / "mask.png")
    words = ["--generator", made / "tiny", "--out", tmp_path / "rule", "--rank", 2, "--layer", 4, "--seeds", "4-6"]
    words += ["--retouched", f"3={tmp_path / '3.jpg'}", "--retouched", f"8={tmp_path / '8.jpg'}"]
    words += ["--mask", f"8={tmp_path / 'mask.png'}", "--context", f"3={tmp_path / 'mask.png'}"]
    words += ["--context", f"5={tmp_path / 'mask.png'}", "--name", "Red squares"]
    assert run("apply", *words) == 0
    edit, said = Edit.load(tmp_path / "rule"), capsys.readouterr().out
    assert edit.layers == (4, 6, 8) and "layers 4, 6, 8, rank 2" in said and edit.name == "Red squares"
    assert [one.seed for one in edit.request.retouched] == [3, 8]
    assert [region.seed for region in edit.request.context] == [3, 5]
    assert edit.report.loss_after < edit.report.loss_before
    assert "learned from retouched pictures 3, 8" in (tmp_path / "rule" / "README.md").read_text()


def test_apply_learns_what_a_pasted_goal_shows(made, tmp_path):
    tiny.request(layer=4, rank=4, generator="tiny").save(tmp_path / "hats.json")
    words = ("--generator", made / "tiny", "--request", tmp_path / "hats.json", "--out", tmp_path / "rule")
    assert run("apply", *words, "--learn", "--rank", 2, "--seeds", "4-6") == 0
    edit = Edit.load(tmp_path / "rule")
    assert edit.layers == (4, 6, 8) and edit.rank == 2
    assert edit.request.copy == tiny.request().copy and edit.request.paste == tiny.request().paste
    assert edit.request.rank == 2 and not edit.request.retouched


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--retouched", "picture.png"], "not NUMBER=FILE"),
        (["--retouched", "x=picture.png"], "not NUMBER=FILE"),
        (["--retouched", "3=missing.png"], "There is no missing.png in this folder"),
        (["--retouched", "3=text.png"], "text.png is not a readable picture"),
        (["--retouched", "3=same.png"], "same.png: Nothing differs from picture 3"),
        (["--retouched", "3=small.png"], "small.png: The retouched picture is 16 x 16 pixels"),
        (["--retouched", "3=same.png", "--retouched", "3=same.png"], "picture 3 twice"),
        (["--retouched", "3=red.png", "--mask", "4=black.png"], "--mask names picture 4"),
        (["--retouched", "3=red.png", "--context", "4=black.png"], "black.png is an empty mask"),
        (["--context", "4=black.png", "--preset", "horse-hats"], "work with --retouched only"),
    ],
)
def test_retouched_pictures_that_cannot_be_are_refused(made, tmp_path, capsys, monkeypatch, words, named):
    monkeypatch.chdir(tmp_path)
    picture = load_generator(made / "tiny").images([3])[0]
    Image.fromarray(picture).save("same.png")
    Image.fromarray(picture[::2, ::2]).save("small.png")
    Image.fromarray(0 * picture).save("black.png")
    reddened(picture, "red.png")
    (tmp_path / "text.png").write_text("no picture")
    assert run("apply", "--generator", made / "tiny", "--out", tmp_path / "rule", *words) != 0
    said = capsys.readouterr().err
    assert named in said, said
    assert tiny.is_one_sentence(said.removeprefix("error: ").strip()) and not (tmp_path / "rule").exists()


def test_retouched_pictures_need_to_know_their_generator(tmp_path, capsys):
    assert run("apply", "--retouched", "3=picture.png", "--out", tmp_path / "rule") != 0
    assert "give --generator" in capsys.readouterr().err
