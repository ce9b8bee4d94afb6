"""Is base comparable with new? One line per doubt; a doubt that blocks leaves no verdict.

lost        native.2 lost 3.1 % of its samples (1 % is the bound)
partial     native.3 lists 54.6 % of its samples (a threshold or filter of opreport's)
kernel      base ran 6.1.0-18-amd64, new 6.12.9: --allow-kernel-change
duplicate   native.1 and native.1-8350a25d of base are one recording
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Literal

import numpy as np

from perfduck_diff.engine.result import Reason
from perfduck_diff.engine.run_matrix import Run, RunMatrix
from perfduck_model.arrays import Float64, Int64
from perfduck_model.words import counted

CheckAction = Literal["block", "note", "off"]
NOTES = (
    "duration",
    "inlined",
    "kernel-unknown",
    "load",
    "replicates",
    "spread",
    "work",
)  # that do not block
_FEW_STACKS = 20  # of which two runs may have the same
DOUBTS: dict[str, CheckAction] = {"block": "block", "note": "note", "off": "off"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a doubt begins, and what it does."""

    lost: float = 0.01
    unknown: float = 0.20
    spread: float = 0.15  # of the totals of one side's runs
    duration: float = 2.0  # longest run over shortest
    work: float = 1000.0  # most work a second over least, of one side's runs
    load: float = 0.30  # busy part of the CPUs, difference of the sides
    weight: Mapping[str, CheckAction] = field(default_factory=dict)  # overrides, by code

    def of(self, code: str) -> CheckAction:
        """What a doubt of this kind does."""
        return self.weight.get(code, "note" if code in NOTES else "block")


@dataclass(frozen=True, slots=True)
class Sides:
    """The runs to compare, and the rate of every run's total."""

    runs: RunMatrix
    base: Int64
    new: Int64
    totals: Float64

    @property
    def both(self) -> tuple[tuple[str, Int64], tuple[str, Int64]]:
        """The sides with their names."""
        return ("base", self.base), ("new", self.new)

    def some(self, side: Int64) -> list[Run]:
        """The runs of a side."""
        return [self.runs.runs[column] for column in side]


def reasons(sides: Sides, bounds: Bounds, *, learned: bool) -> tuple[Reason, ...]:
    """Every doubt about this comparison."""
    reasons_of_checks = [
        Reason(code=code, text=text, blocks=bounds.of(code) == "block")
        for code, check in CHECKS.items()
        if bounds.of(code) != "off"
        for text in check(sides, bounds)
    ]
    return (*reasons_of_checks, *_replicates(sides, learned=learned))


def weighed(doubts: Iterable[Reason], bounds: Bounds) -> tuple[Reason, ...]:
    """Doubts that block unless the budget file has another weight for them."""
    return tuple(
        replace(doubt, blocks=doubt.blocks and bounds.of(doubt.code) == "block") for doubt in doubts
    )


def _event(sides: Sides, _: Bounds) -> list[str]:
    rates = {run.frequency for run in sides.runs.runs if not run.has_period}
    if len(rates) < 2:
        return []
    return ["sampled at different frequencies, and the samples carry no period"]


def _kernel(sides: Sides, _: Bounds) -> list[str]:
    releases = [
        sorted({run.kernel_release for run in sides.some(side) if run.kernel_release})
        for _, side in sides.both
    ]
    if not all(releases) or releases[0] == releases[1]:
        return []
    return [
        f"base ran {', '.join(releases[0])}, new {', '.join(releases[1])}: --allow-kernel-change"
    ]


def _kernel_unknown(sides: Sides, _: Bounds) -> list[str]:
    runs = sides.runs.runs
    unknown = sum(not run.kernel_release for run in runs)
    if not unknown:
        return []
    return [f"kernel release not known of {unknown} of {len(runs)} runs: ingest --kernel RELEASE"]


def _lost(sides: Sides, bounds: Bounds) -> list[str]:
    return [
        f"{run.name} lost {run.lost:.1%} of its samples ({bounds.lost:.0%} is the bound)"
        for run in sides.runs.runs
        if run.lost > bounds.lost
    ]


def _partial(sides: Sides, bounds: Bounds) -> list[str]:
    return [
        f"{run.name} lists {run.listed:.1%} of its samples: the rest is missing in every row"
        for run in sides.runs.runs
        if 1 - run.listed > bounds.lost
    ]


def _unknown(sides: Sides, bounds: Bounds) -> list[str]:
    nameless = np.array([frame.is_nameless for frame in sides.runs.frames])
    leaf = sides.runs.stacks.ends(leaf=True)
    if not len(nameless):
        return []
    mask = (leaf >= 0) & nameless[np.maximum(leaf, 0)]
    part = sides.runs.weight[mask].sum(axis=0) / np.maximum(sides.runs.weight.sum(axis=0), 1e-300)
    return [
        f"{run.name}: {share:.0%} of the weight is in functions without a name"
        for run, share in zip(sides.runs.runs, part, strict=True)
        if share > bounds.unknown
    ]


def _inlined(sides: Sides, _: Bounds) -> list[str]:
    """Inlined functions are frames where there was debug information: self weight of one side is
    then in other functions than that of the same code of the other."""
    known = [
        [run.inlined for run in sides.some(side) if run.inlined is not None]
        for _, side in sides.both
    ]
    if not all(known) or any(known[0]) == any(known[1]):
        return []
    texts = [f"{np.mean(shares):.0%} of the samples of {name}"
             for (name, _), shares in zip(sides.both, known, strict=True)]  # fmt: skip
    return [
        f"inlined functions are frames in {' and '.join(texts)}: self weight moves between"
        " functions (ingest again with --no-inline, or with --symbols)"
    ]


def _spread(sides: Sides, bounds: Bounds) -> list[str]:
    spreads = [(name, spread(sides.totals[side])) for name, side in sides.both]
    return [
        f"the runs of {name} differ by {value:.1%} (standard deviation of their totals)"
        for name, value in spreads
        if value is not None and value > bounds.spread
    ]


def spread(totals: Float64) -> float | None:
    """Standard deviation of the runs' totals over their mean."""
    if len(totals) < 2 or not totals.mean():
        return None
    return float(totals.std(ddof=1) / totals.mean())


def _duplicate(sides: Sides, _: Bounds) -> list[str]:
    """A recording that is stored twice, as perf.data and as its text, is no second run."""
    return [
        f"{runs[first].name} and {runs[second].name} of {name} are one recording: count one of them"
        for name, side in sides.both
        for runs in [sides.runs.runs]
        for first, second in combinations(side.tolist(), 2)
        if _is_same(sides.runs.weight[:, first], sides.runs.weight[:, second])
    ]


def _is_same(one: Float64, other: Float64) -> bool:
    """Equal totals, and equal weights of most stacks: perf.data and its text agree in 97 % of
    them, two runs of the demo in 10 to 14 %, which were met once in both."""
    either = (one > 0) | (other > 0)
    if either.sum() < _FEW_STACKS or not np.isclose(one.sum(), other.sum(), rtol=1e-9, atol=0):
        return False
    return bool(np.isclose(one, other, rtol=1e-9)[either].mean() > 0.5)


def _duration(sides: Sides, bounds: Bounds) -> list[str]:
    lasted = [run.duration_s for run in sides.runs.runs if run.duration_s]
    if not lasted or max(lasted) <= bounds.duration * min(lasted):
        return []
    return [f"runs lasted {min(lasted):.3g} to {max(lasted):.3g} s"]


def _work(sides: Sides, bounds: Bounds) -> list[str]:
    """Like runs get about as much done: 1 for 1 M is another unit, or a mistake."""
    doubts = []
    for name, side in sides.both:
        done = sorted((run for run in sides.some(side) if run.work), key=_speed)
        if done and _speed(done[-1]) > bounds.work * _speed(done[0]):
            texts = [_done(run) for run in (done[0], done[-1])]
            doubts.append(
                f"work of {name} is over {bounds.work:,.10g} times apart: {', '.join(texts)}"
            )
    return doubts


def _done(run: Run) -> str:
    return f"{run.name} {counted(run.work or 0, run.work_unit or 'unit')}"


def _speed(run: Run) -> float:
    return (run.work or 0) / (run.duration_s or 1)


def _load(sides: Sides, bounds: Bounds) -> list[str]:
    if sides.runs.unit != "ns":
        return []
    busy = [_busy(sides, side) for _, side in sides.both]
    if None in busy or abs((busy[0] or 0) - (busy[1] or 0)) <= bounds.load:
        return []
    text = f"base kept the CPUs {busy[0]:.0%} busy, new {busy[1]:.0%}"
    return [f"{text}: cost per unit of work changes with load (batching, GRO)"]


def _busy(sides: Sides, side: Int64) -> float | None:
    runs = sides.some(side)
    if not all(run.duration_s and run.cpus for run in runs):
        return None
    room = np.array([(run.duration_s or 1) * (run.cpus or 1) * 1e9 for run in runs])
    return float((sides.runs.weight[:, side].sum(axis=0) / room).mean())


def _replicates(sides: Sides, *, learned: bool) -> list[Reason]:
    if len(sides.base) + len(sides.new) > 2:
        return []
    if learned:
        return [
            Reason(code="replicates", text="unreplicated: judged by learned noise", blocks=False)
        ]
    text = "one run a side, no learned noise (perfduck noise learn): intervals within runs only"
    return [Reason(code="replicates", text=text, blocks=True)]


CHECKS: dict[str, Callable[[Sides, Bounds], list[str]]] = {
    "event": _event,
    "kernel": _kernel,
    "kernel-unknown": _kernel_unknown,
    "duplicate": _duplicate,
    "lost": _lost,
    "partial": _partial,
    "unknown": _unknown,
    "inlined": _inlined,
    "spread": _spread,
    "duration": _duration,
    "load": _load,
    "work": _work,
}
