"""The rules that come with the software come solved, and are what their requests still solve to."""

import shutil

import pytest
import torch

from rewriting import Request, Rewriter, load_generator
from rewriting.core import memory
from rewriting.core.presets import FOLDER, Preset, presets
from weights.rules import brought

SOLVED = [name for name, one in presets().items() if not one.request.retouched]
ONE_EACH = {presets()[name].generator: name for name in reversed(SOLVED)}.values()
PROCESSORS = 0.05  # of the change: two processors round differently, and a solve stops after twenty steps


@pytest.mark.parametrize("name", presets())
def test_a_preset_comes_solved_for_the_weights_that_come_along(name):
    chosen = presets()[name]
    digest = load_generator(chosen.generator).digest()
    edit = chosen.edit(digest)
    assert edit.base == digest and edit.request == chosen.request and edit.name == chosen.title
    assert chosen.edit("0" * 64) is None  # on other weights it is solved anew
    if name in SOLVED:
        assert (edit.layer, edit.rank) == (chosen.request.layer, chosen.request.rank)
        assert edit.report.samples == memory.SAMPLES
    size = sum(path.stat().st_size for path in chosen.folder.glob("edit.*"))
    assert size < 400_000


@pytest.mark.parametrize("name", ONE_EACH)
def test_a_preset_solved_again_is_the_rule_that_came_along(name):
    chosen = presets()[name]
    generator = load_generator(chosen.generator)
    came = chosen.edit(generator.digest())
    again = Rewriter(generator, chosen.request.layer).solve(chosen.request)
    apart = torch.linalg.vector_norm(came.delta() - again.delta()) / torch.linalg.vector_norm(again.delta())
    assert apart < PROCESSORS
    assert again.report.loss_after == pytest.approx(came.report.loss_after, rel=PROCESSORS)


def test_a_card_says_once_what_its_rule_does_on_pictures_that_were_brought(tmp_path, monkeypatch):
    name = "no-captions"
    for part in ("request.json", "README.md"):
        (tmp_path / name).mkdir(exist_ok=True)
        shutil.copy(FOLDER / name / part, tmp_path / name / part)
    monkeypatch.setattr(brought, "FOLDER", tmp_path)
    for hits in ([True, False], [True, True, False]):
        brought.note(name, brought.OnBrought(hits, [True], 0.0123, 0.01))
    card = (tmp_path / name / "README.md").read_text(encoding="utf-8")
    (row,) = (line for line in card.splitlines() if "never drew" in line)
    assert row.startswith("|") and "2 of 3" in row
    request = Request.load(tmp_path / name / "request.json")
    assert request.with_(notes={}) == presets()[name].request.with_(notes={})
    assert Preset(name, request, FOLDER).measured.endswith("; of pictures that the generator never drew, 2 of 3")
