"""Ablations: the rule of Table 1, solved with one part of the method changed at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from rewriting import Request
from rewriting.core.memory import SAMPLES, directions, second_moments
from rewriting.core.rewriter import RIDGE
from weights.experiments.evaluation import Scores, evaluate
from weights.experiments.experiment_report import ExperimentReport
from weights.experiments.methods import MethodResult, Setting, ours
from weights.experiments.tasks import smiles
from weights.rules.catalogue import RULES
from weights.rules.material import CANDIDATES, paint
from weights.rules.truth import Truth

PICTURES_IN_C = (4, 16, 64, 250, SAMPLES)
RANKS = (1, 2, 3, 5, 7, 10)
CONTEXTS = (1, 2, 5, 10, 20)
TRACES = (0.0, 1.0, 10.0, 100.0, 1000.0)
LOCALITIES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
RIDGES = (0.0, 0.1, 0.3, RIDGE, 3.0)
HUBER_DELTAS = (0.01, 0.05, 0.2, 1.0, 10.0)
COLUMNS = [
    "", "as intended, %", "nearer to ideal, %", "L1 outside, %", "SSIM", "features", "to ideal, inside, %",
    "outside, %", "seconds",
]  # fmt: skip
Makers = list[Callable[[], MethodResult]]


def run(report: ExperimentReport, *, n: int, progress: Callable[[str], None]) -> None:
    """Solve every variant, measure all of them on the same pictures, and write a table for each group."""
    task = smiles()
    setting = Setting(task.rewriter, task.request)
    groups = [(title, setting.made_together(makers, progress), note) for title, makers, note in variants(setting)]
    evaluation = evaluate(task, [change for _, changes, _ in groups for change in changes], n, progress, realism=False)
    request = task.request
    report.text(
        f"The rule of Table 1, frowns become smiles, at layer {request.layer}, rank {request.rank}, locality "
        f"{request.locality:g}, painted in {1 + len(request.context)} pictures, with one thing changed at a time; "
        f"measured on {n} pictures, to {evaluation.applied} of which it applies. The columns are those of Table 1. "
        f"How efficacy and collateral change trade against each other as locality varies, with the other methods as "
        f"points beside the curve, is drawn in the reports of Tables 1 and 2."
    )
    scores = iter(evaluation.scores)
    for title, changes, note in groups:
        mine = [next(scores) for _ in changes]
        report.table(title, COLUMNS, [_row(score) for score in mine], note)
        report.number(title, {score.name: score.numbers() for score in mine})


def variants(setting: Setting) -> Iterator[tuple[str, Makers, str]]:
    """The groups of variants, each as (title, functions that make the changes, note)."""
    yield "Pictures that C is measured on", _moments(setting), "Directions agree: see the name; 1 is the same space."
    yield "Rank", [ours.maker(setting, f"rank {rank}", rank=rank) for rank in RANKS], ""
    yield "Context pictures, each also pasted into", _contexts(setting), ""
    into = {"pasted into all": True, "pasted into one": False}
    pasted = [ours.maker(setting, name, everywhere=everywhere) for name, everywhere in into.items()]
    yield "Pictures pasted into, with the same context", pasted, ""
    yield (
        "Locality as sampled places of other pictures",
        [ours.maker(setting, f"sampled, weight {x:g}", locality=x) for x in LOCALITIES],
        "",
    )
    yield (
        "Size of the change, beside other places",
        [partial(ours.solved, setting, name=f"{x:g} of the locality", ridge=x) for x in RIDGES]
        + [partial(ours.solved, setting, name=f"none, locality {x:g}", locality=x, ridge=0.0) for x in LOCALITIES[3:]],
        "How much |Λ|² counts, relative to |W₀|² in each channel.",
    )
    yield (
        "Length of the change",
        [
            partial(ours.solved_along, setting, setting.directions, name=name, lengthened=lengthened)
            for name, lengthened in {"as far as the goal asks": True, "that of the minimum": False}.items()
        ],
        "What spares other places leaves a change shorter than the goal asks for.",
    )
    yield (
        "Locality as the trace tr(ΔW C ΔWᵀ)",
        [partial(ours.traced, setting, x, name=f"trace, weight {x:g}") for x in TRACES],
        "The trace does not see demodulation, which dims a channel everywhere when its weight grows.",
    )
    yield (
        "Huber delta of the loss",
        [partial(ours.solved, setting, name=f"{x:g} of mean |v|", huber_delta=x) for x in HUBER_DELTAS],
        "The smaller, the nearer to the L1 norm of the paper's code; the larger, the nearer to squares.",
    )
    kinds = ("shrinkage", "whitened", "svd", "units")
    yield (
        "Directions",
        [partial(ours.solved, setting, name=kind, method=kind) for kind in kinds],
        "Whitened is the paper's (Appendix D). Shrinkage is that with C shrunk halfway to a multiple of the identity, "
        "as everywhere else on this page. Svd does not whiten. Units are single feature channels (Appendix E).",
    )


def _moments(setting: Setting) -> Makers:
    rewriter, request, makers = setting.rewriter, setting.request, []
    keys, weights = rewriter.context_keys(request)
    for count in PICTURES_IN_C:
        moment = second_moments(rewriter.generator, [rewriter.number], samples=count)[rewriter.number]
        along = directions(keys, weights, moment, request.rank)
        agreement = float((along @ setting.directions.t()).square().sum()) / request.rank
        name = f"{count} pictures (agreement {agreement:.3f})"
        makers.append(partial(ours.solved_along, setting, along, name=name))
    return makers


def _contexts(setting: Setting) -> Makers:
    truth, makers = Truth(setting.request.generator), []
    for count in CONTEXTS:
        changed = replace(setting, request=with_contexts(setting.request, count, truth))
        makers.append(partial(ours.solved, changed, name=f"{count} context picture{'s' * (count > 1)}"))
    return makers


def with_contexts(request: Request, count: int, truth: Truth) -> Request:
    """The request of Table 1 with another number of context pictures; the object is pasted into the first of them.

    Raises ValueError if the searched pictures have fewer frowns.
    """
    rule, seeds = RULES["frowns-to-smiles"], list(range(CANDIDATES))
    place = rule.place(truth, seeds)
    others = [s for s in seeds if place[s].sum() >= rule.least and s not in (request.copy.seed, request.paste.seed)]
    painted = [request.paste.seed, *others][:count]
    if len(painted) < count:
        raise ValueError(f"{count} context pictures are asked for; the first {CANDIDATES} have {len(painted)}.")
    return request.with_(context=tuple(paint(s, place[s]) for s in painted))


def _row(s: Scores) -> list[str | float]:
    return [
        s.name, 100 * s.intended, 100 * s.nearer, 100 * s.l1, s.ssim, s.features, 100 * s.ideal_inside,
        100 * s.ideal_outside, s.seconds,
    ]  # fmt: skip
