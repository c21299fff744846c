"""`python -m rewriting bench`: what is measured is printed, and written for programs."""

import json

import pytest

from rewriting import bench, cli


@pytest.fixture
def asked(monkeypatch):
    """The options with which the measurements, here two that take no time, were asked for."""
    seen = []

    def run(**options):
        seen.append(options)
        yield bench.Row("rank 1", ours=0.25, theirs=500.0, spread=1.5, note="loss 0.1")
        yield bench.Row("search", ours=0.5, theirs=None, spread=1.0)

    monkeypatch.setattr(bench, "run", run)
    return seen


def test_the_table_is_printed_and_the_numbers_are_written(asked, tmp_path, capsys):
    out = tmp_path / "new" / "bench.json"
    assert cli.main(["bench", "--iterations", "100", "--json", str(out)]) == 0
    assert [options["iterations"] for options in asked] == [100]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and "2,000.0x" in lines[1] and "500,000.0 ms" in lines[1] and "500.0 ms" in lines[2]
    rows = json.loads(out.read_text())["rows"]
    assert [(row["what"], row["ratio"]) for row in rows] == [("rank 1", 2000.0), ("search", None)]


def test_by_default_the_papers_way_takes_the_papers_steps(asked):
    assert cli.main(["bench"]) == 0
    everything = {"only": bench.SUBJECTS, "layers": (6, 8, 10), "ranks": (1, 3, 10), "device": "auto"}
    assert asked == [{"iterations": 2001, **everything}]


def test_some_subjects_can_be_chosen(asked, capsys):
    assert cli.main(["bench", "draw", "search", "--layers", "8", "--ranks", "1", "3"]) == 0
    (options,) = asked
    assert options["only"] == ["draw", "search"] and options["layers"] == [8] and options["ranks"] == [1, 3]
    assert cli.main(["bench", "drawing"]) == 2 and len(asked) == 1
    said = "error: There is no subject 'drawing'; choose from solve, draw, moments, search, app, first-contact.\n"
    assert capsys.readouterr().err.endswith(said)


def test_no_steps_are_refused_before_anything_is_measured(asked, capsys):
    assert cli.main(["bench", "--iterations", "0"]) == 2
    assert capsys.readouterr().err == "error: --iterations is 0; give 1 or more.\n" and not asked
