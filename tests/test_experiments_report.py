"""Reports of experiments: what is written can be read back, by programs and by people."""

import json

import numpy as np
import pytest
from PIL import Image

from weights.experiments import run_experiment
from weights.experiments.experiment_report import ExperimentReport, shown


def test_a_report_is_one_folder_with_numbers_text_tables_and_pictures(tmp_path):
    report = ExperimentReport("one", "A title", tmp_path)
    report.text("What was done.")
    report.table("Rows", ["method", "share"], [["ours", 0.98765], ["none", None], ["broken", float("nan")]], "A note.")
    picture = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    report.picture("sheet.png", picture, "A caption")
    report.number("n", np.int64(7))
    folder = report.write()

    assert folder == tmp_path / "one"
    data = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert data["numbers"] == {"n": 7}
    assert data["parts"][1]["rows"] == [["ours", 0.98765], ["none", None], ["broken", None]]
    assert np.array_equal(np.asarray(Image.open(folder / "sheet.png")), picture)
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# A title\n\nWhat was done.\n\n**Rows**\n\n| method | share |\n| --- | ---: |\n")
    assert "| ours | 0.988 |" in text and "| none | – |" in text and "A note." in text
    assert "![A caption](sheet.png)" in text


def test_numbers_are_shown_to_three_digits_and_counts_whole():
    assert [shown(x) for x in (0, 3, 12345, 0.5, 12.345, 0.00123456, 1234.5, "a", None)] == [
        "0", "3", "12,345", "0.500", "12.3", "0.00123", "1,234", "a", "–",
    ]  # fmt: skip


def test_a_bar_in_a_cell_does_not_break_the_table(tmp_path):
    report = ExperimentReport("one", "t", tmp_path)
    report.table("T", ["a|b"], [["|x|"]])
    assert r"| a\|b |" in report.markdown() and r"| \|x\| |" in report.markdown()


def test_what_cannot_be_reported_is_refused_in_one_sentence(tmp_path):
    report = ExperimentReport("one", "t", tmp_path)
    with pytest.raises(ValueError, match="has 1 cells; expected 2"):
        report.table("T", ["a", "b"], [["only"]])
    with pytest.raises(ValueError, match=r"expected uint8 \(H, W, 3\)"):
        report.picture("a.png", np.zeros((4, 4, 3)), "")
    for name in ("../a.png", "a.jpg"):
        with pytest.raises(ValueError, match="choose another"):
            report.picture(name, np.zeros((4, 4, 3), np.uint8), "")
    report.picture("a.png", np.zeros((4, 4, 3), np.uint8), "")
    with pytest.raises(ValueError, match="choose another"):
        report.picture("a.png", np.zeros((4, 4, 3), np.uint8), "")


def test_an_unknown_experiment_is_answered_with_the_ones_there_are(tmp_path):
    with pytest.raises(ValueError, match="There is no experiment 'none'; choose from"):
        run_experiment("none", tmp_path, progress=print)
