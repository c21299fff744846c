"""The tables end to end on a handful of pictures of the bundled generators, and the rules they are about."""

import functools
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from rewriting import cli
from weights.experiments import EXPERIMENTS, ablations, columns, curves, run_experiment, tables, tasks, watermarks
from weights.experiments.evaluation import IDEAL, evaluate
from weights.experiments.experiment_report import ExperimentReport
from weights.experiments.measures import frechet
from weights.experiments.methods import Setting, ours
from weights.rules import material
from weights.rules.truth import Truth

WEIGHTS = {  # methods that change the weights of one layer, other than ours
    "ours, the paper's directions", "projected gradient", "projected gradient, one paste",
    "projected gradient, our directions", "direct optimisation of Λ", "single-image direction",
    "single layer, no direction",
}  # fmt: skip
FEW = 100  # pictures that are looked at for a place to paint in


@pytest.fixture(autouse=True, scope="module")
def quick():
    """One thread, fewer pictures to paint in, and every scene rendered once: rendering is what takes the time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        truth = functools.cache(Truth)
        for module in (tasks, watermarks, ablations):
            patch.setattr(module, "Truth", truth)
        patch.setattr(material, "CANDIDATES", FEW)
        patch.setattr(ablations, "CANDIDATES", FEW)
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def smiles(quick):
    return tasks.smiles()


@pytest.fixture(scope="module")
def measured(smiles):
    """Table 1's rule on eight pictures: unmodified, ours, and the ideal."""
    setting = Setting(smiles.rewriter, smiles.request)
    changes = [ours.unmodified(setting), ours.solved(setting)]
    return evaluate(smiles, changes, 6, lambda _: None)


def test_unmodified_changes_nothing_and_the_ideal_is_as_intended(measured):
    before, solved, ideal = measured.scores
    assert (before.l1, before.ssim, before.features, before.nearer) == (0, pytest.approx(1), 0, 0)
    assert (ideal.ideal_inside, ideal.ideal_outside, ideal.nearer) == (0, 0, 1)
    assert before.intended == 0 and ideal.intended == 1 and ideal.name == IDEAL
    assert 1 <= measured.applied < 6
    assert measured.sheet.shape[0] == 3 and measured.sheet.shape[2:] == (128, 128, 3)


def test_our_rule_makes_frowns_smile_and_leaves_the_rest(measured):
    _, solved, _ = measured.scores
    assert solved.intended >= 0.75 and solved.loss[1] < 0.6 * solved.loss[0]
    assert 0 < solved.l1 < 0.02 and solved.ssim > 0.95


def test_the_ideal_differs_only_where_the_rule_applies_and_looks_like_the_changed_scene(smiles):
    sample = smiles.sample(range(1000, 1006))
    same = ~sample.applies
    assert same.any() and np.array_equal(sample.ideal[same], sample.before[same])
    mood = float(Truth("face").z([smiles.request.copy.seed])[0, Truth("face").scene.column("mood")])
    truth = Truth("face")
    z = truth.z(sample.seeds)
    z[:, truth.scene.column("mood")] = mood
    with torch.inference_mode():
        scenes = (truth.scene.render(z, 128)[0] * 255).permute(0, 2, 3, 1).numpy()
    to_smile, to_frown = (
        np.abs(sample.ideal[sample.applies].astype(float) - other)[sample.area[sample.applies]].mean()
        for other in (scenes[sample.applies], truth.pictures(sample.seeds)[sample.applies].astype(float))
    )
    assert to_smile < 0.7 * to_frown


@pytest.mark.parametrize(("make", "least"), [(tasks.spires, 0.9), (tasks.trees, 0.4)])  # a tree is rounder than a dome
def test_a_dome_reads_as_intended_in_the_ideal_and_not_before(make, least):
    task, truth = make(), tasks.Truth("church")
    seeds = [s for s in range(1000, 1064) if task.applies(truth, [s])[0]]
    sample = task.sample(seeds)
    assert sample.applies.all()
    before = task.intended(task.segmenter, sample.labels, sample)
    ideal = task.intended(task.segmenter, sample.ideal_labels, sample)
    assert np.nanmax(before) < 0.1 and np.nanmean(ideal) > least


def test_a_table_is_written_with_a_row_for_every_method(smiles, tmp_path, monkeypatch):
    monkeypatch.setattr(curves, "SWEEP", (0.5,))
    monkeypatch.setattr(curves, "RANK_SWEEP", (0.2,))
    monkeypatch.setattr(curves, "STRONG_SWEEP", (0.5,))
    report = ExperimentReport("table1", "Table 1", tmp_path)
    tables.compare(report, smiles, tables.PAPER_1, 3, lambda _: None, steps=2, tuning_steps=1)
    folder = report.write()
    data = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    main = next(part for part in data["parts"] if part["kind"] == "table")
    names = [row[0] for row in main["rows"]]
    assert names[:2] == ["unmodified", "ours"] and names[-1] == IDEAL and len(names) == 13
    assert set(tables.PAPER_1.rows) <= set(names)
    swept = {"rank 5, locality 0.5", "rank 10, locality 0.2"}
    stronger = {f"{name}, 1.5 times as strong" for name in ("rank 5, locality 0.5", "rank 10, locality 0.5")}
    stronger |= {f"{name}, 1.5 times as strong" for name in names if name in WEIGHTS}
    assert set(data["numbers"]["smiles"]) == {*names, *swept, *stronger}
    asked = [part for part in data["parts"] if part["kind"] == "table" and part["title"].startswith("Does a curve")]
    assert [len(part["rows"]) for part in asked] == [10, 7] and [len(part["columns"]) for part in asked] == [5, 3]
    assert {path.name for path in folder.iterdir()} == {"report.json", "report.md", "smiles.webp", "smiles-curve.png"}


def test_the_verdict_says_which_methods_are_better_in_what():
    def scores(name, intended, l1):
        return tables.Scores(name, intended, 0, 0, l1, 1, 0, 0, 0, 0, 0, None)

    said = tables.verdict([
        scores("unmodified", 0.0, 0.0), scores("ours", 0.9, 0.01), scores("worse", 0.5, 0.02),
        scores("careful", 0.5, 0.001), scores("bold", 1.0, 0.2), scores("better", 1.0, 0.005), scores(IDEAL, 1.0, 0.0),
    ])  # fmt: skip
    assert "no less efficacy with less collateral change than worse" in said
    assert "less efficacy than, and more collateral change than better" in said
    assert "less efficacy, with less collateral change, than bold" in said
    assert "more collateral change, with no less efficacy, than careful" in said


def test_the_watermarks_are_counted_for_every_way(tmp_path, monkeypatch):
    monkeypatch.setattr(watermarks, "STEPS", 2)
    truth = tasks.Truth("church")
    shown = {name: truth.mask(range(FEW), name).any((1, 2)) for name in tasks.MARK_NAMES}
    first = int(np.argmax(shown["mark_middle"] | shown["mark_bottom"]))
    monkeypatch.setattr(tasks, "FIRST", first)  # so that few pictures will do
    folder = run_experiment("table3", tmp_path, n=4, progress=lambda _: None)
    rows = json.loads((folder / "report.json").read_text(encoding="utf-8"))["numbers"]["rows"]
    counts = {row["method"]: row["middle, visible"] + row["bottom, visible"] for row in rows}
    marked = sum(int(found[first : first + 4].sum()) for found in shown.values())
    assert counts["unmodified"] == marked > 0 and counts[IDEAL] == 0
    assert counts["a rank-5 update for each mark"] < counts["unmodified"]
    assert {"zeroing 30 units", "zeroing 60 units", "rank-1 update"} <= set(counts)


def test_the_ablations_are_written_group_by_group(tmp_path, monkeypatch):
    for name, values in {
        "PICTURES_IN_C": (4,), "RANKS": (1, 2), "CONTEXTS": (1,), "TRACES": (1.0,), "LOCALITIES": (2.0,),
    }.items():  # fmt: skip
        monkeypatch.setattr(ablations, name, values)
    monkeypatch.setattr("weights.experiments.methods.ours.TRACE_STEPS", 3)
    monkeypatch.setattr(ablations, "smiles", lambda: tasks.smiles(rank=2))  # solved sooner than rank 5
    folder = run_experiment("ablations", tmp_path, n=2, progress=lambda _: None)
    data = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    shown = {part["title"]: [row[0] for row in part["rows"]] for part in data["parts"] if part["kind"] == "table"}
    assert shown["Rank"] == ["rank 1", "rank 2"]
    assert shown["Directions"] == ["shrinkage", "whitened", "svd", "units"]
    assert len(shown) == 10 and data["numbers"]["n"] == 2


def test_curves_are_measured_on_fewer_of_many_pictures_and_so_is_what_stands_beside_them(
    smiles, tmp_path, monkeypatch
):
    monkeypatch.setattr(curves, "SWEEP", (0.5,))
    monkeypatch.setattr(curves, "RANK_SWEEP", ())
    monkeypatch.setattr(curves, "STRONG_SWEEP", ())
    monkeypatch.setattr(curves, "MOST", 2)
    monkeypatch.setattr(tables, "methods", lambda setting, **_: [ours.unmodified(setting), ours.solved(setting)])
    report = ExperimentReport("table1", "Table 1", tmp_path)
    tables.compare(report, smiles, tables.PAPER_1, 3, lambda _: None)
    numbers = json.loads((report.write() / "report.json").read_text(encoding="utf-8"))["numbers"]
    setting = Setting(smiles.rewriter, smiles.request)
    on_two, on_three = (evaluate(smiles, [ours.solved(setting)], n, lambda _: None).scores[0] for n in (2, 3))
    assert numbers["smiles"]["ours"]["l1"] == on_three.l1 != on_two.l1
    first = numbers["smiles: first 2 pictures"]
    assert first["ours"]["l1"] == on_two.l1 and first["rank 5, locality 0.5"]["l1"] > on_two.l1
    assert "rank 5, locality 0.5" not in numbers["smiles"] and "first 2 of these pictures" in report.markdown()


def test_a_method_made_stronger_is_the_same_change_of_weights_times_the_strength(smiles):
    setting = Setting(smiles.rewriter, smiles.request)
    change, edit = ours.solved(setting), smiles.rewriter.solve(smiles.request)
    seeds, before = [1000, 1001], smiles.rewriter.images([1000, 1001], size=128)
    drawn = curves.stronger(setting, change).draw(seeds, before)
    assert np.array_equal(drawn, smiles.rewriter.images(seeds, [edit.with_(strength=curves.STRENGTH)], 128))
    assert not np.array_equal(drawn, change.draw(seeds, before))


class Lpips(torch.nn.Module):
    """Called as the package's network is; the distance is the mean difference."""

    def __init__(self, net, verbose):
        super().__init__()

    def forward(self, one, other):
        assert one.amin() < 0 and one.abs().amax() <= 1
        return (one - other).abs().mean((1, 2, 3), keepdim=True)


class Inception(torch.nn.Module):
    """Called as the package's network is; the features are the mean colours."""

    BLOCK_INDEX_BY_DIM = {2048: 3}

    def __init__(self, blocks):
        super().__init__()
        assert blocks == [3]

    def forward(self, x):
        assert 0 <= x.amin() and x.amax() <= 1
        return [x.mean((2, 3), keepdim=True)]


def test_lpips_and_fid_are_measured_where_they_are_installed(smiles, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", SimpleNamespace(LPIPS=Lpips))
    monkeypatch.setitem(sys.modules, "pytorch_fid", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "pytorch_fid.inception", SimpleNamespace(InceptionV3=Inception))
    setting = Setting(smiles.rewriter, smiles.request)
    change = ours.solved(setting)
    before, after, ideal = evaluate(smiles, [ours.unmodified(setting), change], 4, lambda _: None).scores
    sample = smiles.sample(range(1000, 1004))
    drawn = change.draw(sample.seeds, sample.before)
    outside = np.where(sample.area[..., None], 0, np.abs(drawn / 127.5 - sample.before / 127.5))
    assert before.photographic["LPIPS"] == 0
    assert after.photographic["LPIPS"] == pytest.approx(outside.mean(), rel=1e-5)  # float32
    scenes = np.concatenate(list(smiles.scenes(4)))
    expected = frechet(*((pictures / 255).mean((1, 2)) for pictures in (drawn, scenes)))
    assert after.photographic["FID"] == pytest.approx(expected, rel=1e-3)  # float32, squared and subtracted
    report = ExperimentReport("table", "Table", tmp_path)
    columns.table(report, "Measured", [before, after, ideal])
    assert report.markdown().splitlines()[4].endswith("| LPIPS | FID |")
    assert {"LPIPS", "FID"} <= set(after.numbers())


def test_without_lpips_and_fid_nothing_is_said_of_them(measured, tmp_path):
    report = ExperimentReport("table", "Table", tmp_path)
    columns.table(report, "Measured", measured.scores)
    assert "LPIPS" not in report.markdown() and "FID" not in report.markdown()
    assert not {"LPIPS", "FID", "photographic"} & set(measured.scores[1].numbers())


def test_too_many_contexts_are_refused(smiles):
    with pytest.raises(ValueError, match=f"the first {FEW} have"):
        ablations.with_contexts(smiles.request, FEW, tasks.Truth("face"))


# --- the command


def test_the_command_lists_experiments_runs_one_and_says_where_the_report_is(monkeypatch, tmp_path, capsys):
    assert cli.main(["experiments"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in EXPERIMENTS)

    asked = []

    def run(report, *, n, progress):
        asked.append(n)
        progress("half way")
        report.text("Found.")

    monkeypatch.setattr("weights.experiments.tables.table1", run)
    assert cli.main(["experiments", "table1", "--n", "5", "--out", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert asked == [5] and "half way" in captured.err and str(tmp_path / "table1") in captured.out
    assert "Found." in (tmp_path / "table1" / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"), [(["nothing"], "There is no experiment 'nothing'"), (["table1", "--n", "0"], "n is 0")]
)
def test_the_command_refuses_in_one_sentence(arguments, said, capsys):
    assert cli.main(["experiments", *arguments]) == 2
    assert said in capsys.readouterr().err
