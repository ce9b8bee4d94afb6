"""What a page shows of a diff: who is compared, in which words, and where a bar begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from perfduck_diff.engine.flame import Flame
from perfduck_diff.engine.rates import SubsystemRuns
from perfduck_diff.engine.result import Change, Claim, Diff, Side, SubsystemRow
from perfduck_report.diff_words import common, percent
from perfduck_report.numbers import amount

_SEVERAL = 3  # runs: of one a side nothing is to be seen
COLOURS = 16  # subsystems with a colour of their own; the others share one


@dataclass(frozen=True, slots=True)
class BarScale:
    """Maps amounts to per cent of the width of a bar's cell."""

    start: float
    stop: float

    def at(self, value: float) -> float:
        """Where an amount lies, 0 to 100."""
        width = self.stop - self.start
        place = 100 * (value - self.start) / width if width else 0.0
        return round(min(max(place, 0.0), 100.0), 2)

    def style(self, first: float, last: float) -> str:
        """CSS of a bar between two amounts, whichever is larger."""
        low, high = sorted((self.at(first), self.at(last)))
        return f"left:{low:g}%;width:{round(high - low, 2):g}%"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaterfallStep:
    """A row of the waterfall from base to new: it moves the total from `start` to `stop`."""

    kind: str  # grew, shrank, rest
    change: Change
    start: float
    stop: float
    claim: Claim | None = None
    node: int | None = None  # of the flame graph


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The claims as steps, and their scale."""

    scale: BarScale
    steps: tuple[WaterfallStep, ...]


@dataclass(frozen=True, slots=True)
class Subsystem:
    """A row of the table: blamed weight with its test, and self weight."""

    row: SubsystemRow
    self: tuple[float, float]
    base: tuple[float, ...] = ()  # of each run, less the mean of base
    new: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Subsystems:
    """The table, largest change first, and the scale of its intervals."""

    scale: BarScale
    rows: tuple[Subsystem, ...]

    @property
    def has_runs(self) -> bool:
        """Whether single runs are drawn."""
        return any(row.base for row in self.rows)


def sides(diff: Diff) -> tuple[str, str]:
    """What base and new are called: by the labels in which they differ, else by their names."""
    base, new = diff.base.labels, diff.new.labels
    differing = [key for key in sorted({*base, *new}) if base.get(key) != new.get(key)]
    names = [" ".join(labels[key] for key in differing if key in labels) for labels in (base, new)]
    if all(names):
        return names[0], names[1]
    return _named(diff.base), _named(diff.new)


def _named(side: Side) -> str:
    return side.profiles[0] if len(side.profiles) == 1 else common(side.profiles)


def shared_labels(diff: Diff) -> dict[str, str]:
    """Labels that all runs of both sides have."""
    new = diff.new.labels
    return {key: value for key, value in diff.base.labels.items() if new.get(key) == value}


def sentence(diff: Diff) -> str:
    """The total in plain words."""
    base, new = sides(diff)
    quantity, _, per = diff.unit.partition("/")
    if not per:
        return f"Only shares are known: {base} against {new} in per cent of all samples."
    subject = "A CPU-second" if per == "cpu-s" else f"{_article(per)} {per}"
    verb = "holds" if per == "cpu-s" else "costs"
    total = f"{subject} {verb} {amount(diff.total.new)} {quantity} of CPU with {new}"
    return f"{total}, {_against(diff.total, quantity, base)}{_doubt(diff.total)}."


def _article(word: str) -> str:
    return "An" if word[:1] in "aeio" else "A"


def _against(total: Change, quantity: str, base: str) -> str:
    direction = "more" if total.delta >= 0 else "less"
    size = f"{amount(abs(total.delta))} {quantity} {direction} than with {base}"
    # a no-break space: the sign must not be alone on a line
    return f"{size} ({percent(total).replace(' ', chr(0xA0))})"


def _doubt(total: Change) -> str:
    if total.low is None or total.high is None or not total.low <= 0 <= total.high:
        return ""
    return ", which is within what runs differ by"


def claim_bars(diff: Diff, flame: Flame) -> Waterfall:
    """From base by every claim to new. Claims and the rest add up to the total."""
    at, steps = diff.total.base, []
    for claim in (*diff.claims, *diff.shrunk):
        kind = "grew" if claim.delta > 0 else "shrank"
        node = flame.find(claim.path) if flame.tree == diff.tree else None
        steps.append(
            WaterfallStep(
                kind=kind, change=claim, start=at, stop=at + claim.delta, claim=claim, node=node
            )
        )
        at += claim.delta
    steps.append(
        WaterfallStep(kind="rest", change=diff.unattributed, start=at, stop=diff.total.new)
    )
    reach = max(diff.total.base, diff.total.new, *(step.stop for step in steps))
    return Waterfall(BarScale(0.0, reach), tuple(steps))


def subsystems(diff: Diff, flame: Flame, runs: Sequence[SubsystemRuns] = ()) -> Subsystems:
    """Largest change first. `runs`: what is drawn of single runs."""
    own = {part.subsystem: part.self for part in flame.parts}
    rows = sorted(diff.subsystems, key=lambda row: (-abs(row.delta), row.subsystem))
    of_runs = {each.subsystem: each for each in runs}
    shown = tuple(
        Subsystem(row, own.get(row.subsystem, (0.0, 0.0)), *_offsets(row, of_runs)) for row in rows
    )
    limits = [
        limit
        for each in shown
        for limit in (each.row.delta, each.row.low, each.row.high, *each.base, *each.new)
        if limit is not None
    ]
    return Subsystems(BarScale(min([0.0, *limits]), max([0.0, *limits])), shown)


def _offsets(
    row: SubsystemRow, runs: Mapping[str, SubsystemRuns]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    costs = runs.get(row.subsystem)
    if costs is None or len(costs.base) + len(costs.new) < _SEVERAL:
        return (), ()
    base, new = (tuple(cost - row.base for cost in side) for side in (costs.base, costs.new))
    return base, new


def palette(flame: Flame) -> dict[str, int]:
    """Subsystem -> number of its colour; those without one are 0."""
    names = [part.subsystem for part in flame.parts][:COLOURS]
    return {name: number for number, name in enumerate(names, start=1)}
