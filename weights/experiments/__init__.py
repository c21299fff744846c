"""The paper's experiments, run again on the bundled generators, whose scenes are known.

`python -m rewriting experiments NAME` runs one and writes a report.  An experiment is one function in one module,
`run(report, *, n, progress)`, which is imported only when it is run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from weights.experiments.experiment_report import ExperimentReport

MANY = 10_000  # pictures, as in the paper's tables
Run = Callable[..., None]


@dataclass(frozen=True)
class Experiment:
    """name: as on the command line, and of the report's folder.  run: "module:function".  n: pictures, by default.

    together: whether the processes of a `torchrun` share its work.
    """

    name: str
    title: str
    run: str
    n: int = MANY
    together: bool = False

    def load(self) -> Run:
        """The function `run(report, *, n: int, progress: Callable[[str], None])`."""
        module, function = self.run.split(":")
        return getattr(import_module(module), function)


_HERE = "weights.experiments"
FEW = 200  # pictures looked at, by default, where twelve or so are shown

_ALL: tuple[Experiment, ...] = (
    Experiment("succession", "Figure 1: three rules in succession", f"{_HERE}.succession:run", FEW),
    Experiment("keys-and-values", "Figure 2: keys and values", f"{_HERE}.keys_and_values:run", FEW),
    Experiment("reflection", "Figure 6: a rule turned round", f"{_HERE}.reflection:run", FEW),
    Experiment("gallery", "Figures 7 to 12: a gallery of rules", f"{_HERE}.gallery:run", 1000, True),
    Experiment("layers", "Figures 13 to 18: which layer suits which rule", f"{_HERE}.layers:run", 10),
    Experiment("table1", "Table 1: frowns become smiles, by every method", f"{_HERE}.tables:table1", MANY, True),
    Experiment(
        "table2", "Table 2: domes become spires or trees, by every method", f"{_HERE}.tables:table2", MANY, True
    ),
    Experiment("table3", "Table 3: visible watermarks", f"{_HERE}.watermarks:table3", 1000, True),
    Experiment("ablations", "Ablations: what each part of the method is worth", f"{_HERE}.ablations:run", 1000, True),
    Experiment("retouched", "Rules from retouched pictures", f"{_HERE}.retouched:run", 40),
    Experiment("own-pictures", "Pictures that the generator never drew", f"{_HERE}.own_pictures:run", 100),
    Experiment("press-to-select", "Press to select", f"{_HERE}.press_to_select:run", 100),
    Experiment("transformed", "Scaled and turned objects", f"{_HERE}.transformed:run", 40),
    Experiment("failures", "Failures", f"{_HERE}.failures:run", 10),
)

EXPERIMENTS: dict[str, Experiment] = {experiment.name: experiment for experiment in _ALL}


def run_experiment(name: str, folder: Path, *, n: int | None = None, progress: Callable[[str], None]) -> Path:
    """Run one experiment on n pictures and write its report; returns the report's folder, folder/name.

    Of several processes the first writes.
    Raises ValueError for a name that is none, n below 1, or several processes that it cannot be shared among.
    """
    from rewriting import processes  # imports torch, for which a list of the experiments need not wait

    if name not in EXPERIMENTS:
        raise ValueError(f"There is no experiment {name!r}; choose from {', '.join(EXPERIMENTS)}.")
    experiment = EXPERIMENTS[name]
    n = experiment.n if n is None else n
    if n < 1:
        raise ValueError(f"n is {n}; give 1 picture or more.")
    if processes.count() > 1 and not experiment.together:
        raise ValueError(f"The experiment {name} runs in one process; start it without torchrun.")
    report = ExperimentReport(experiment.name, experiment.title, Path(folder))
    report.number("n", n)
    experiment.load()(report, n=n, progress=progress)
    return report.path if processes.rank() else report.write()
