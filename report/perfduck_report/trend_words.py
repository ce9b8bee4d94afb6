"""The words of a trend, which its text, its Markdown and its page share."""

import shlex
from collections.abc import Sequence

from perfduck_diff.engine.change_points import CONFIRMED
from perfduck_diff.trend_result import (
    ChangedFact,
    ChangePoint,
    CostShift,
    LevelStep,
    Trend,
    TrendGroup,
    TrendSeries,
)
from perfduck_report.diff_words import interval, percent, signed
from perfduck_report.numbers import amount, many

_BARS = "▁▂▃▄▅▆▇█"
_WIDEST = 60  # bars of a sparkline
_LEAST_RANGE = 0.2  # of the mean, both ways: noise must not fill a sparkline


def heading(trend: Trend, group: TrendGroup) -> str:
    """What the series are of."""
    runs = sum(len(point.runs) for point in group.points)
    labels = " ".join(f"{key}={value(label)}" for key, label in group.labels.items())
    what = f"{labels}: " if labels else ""
    points = f"{many(len(group.points), 'point')} of {many(runs, 'run')}"
    return f"{what}{group.event}, {group.unit}, {points} by {trend.over} ({trend.order})"


def verdict(trend: Trend) -> str:
    """How many changes there are, and in how many series they were looked for."""
    changes = [change for group in trend.groups for change in group.changes]
    number = f"{many(len(changes), 'change')} of level" if changes else "no change of level"
    if not trend.tested:
        number = "not tested for changes of level"
    sure = "; at most 5 % of changes are false, on average" if changes else ""
    return f"{number} ({trend.tested:,} series tested{sure})"


def title(change: ChangePoint, over: str) -> str:
    """Where a change is."""
    where = f"{over} {value(change.at)}, after {value(change.before)}"
    if change.earliest == change.latest:
        return where
    return f"{where} (95 %: {value(change.earliest)} to {value(change.latest)})"


def value(of_point: str) -> str:
    """The value of a point; an empty one as in a selector."""
    return of_point or '""'


def state(step: LevelStep) -> str:
    """How far a step is confirmed."""
    if step.state == "went away":
        return f"went away at {value(step.until or '')}"
    if step.state == "suspected":
        return f"suspected, {step.points} of {CONFIRMED} points"
    return f"confirmed by {many(step.points, 'point')}"


def step(one: LevelStep) -> str:
    """A step as a sentence."""
    return (
        f"{one.series} {amount(one.base)} -> {amount(one.new)}: {signed(one.delta)}"
        f" ({percent(one)}, {interval(one)}), {state(one)}"
    )


def shift(one: CostShift) -> str:
    """Cost that only shifted."""
    source, target = one.source, one.target
    return (
        f"cost shift: {source.series} {signed(source.delta)}, {target.series}"
        f" {signed(target.delta)}; {state(target)}"
    )


def fact(one: ChangedFact, change: ChangePoint) -> str:
    """What changed, and where unless it is at the place itself."""
    text = f"{one.before} -> {one.after}" if one.before else one.after
    where = "" if one.at == change.at else f" at {value(one.at)}"
    return f"{one.what}{where}: {text}"


_MANY = 5  # series


def shared(change: ChangePoint) -> str:
    """Where most series changed in the proportion of the total: that all paths share it."""
    whole = [one for one in change.steps if one.series == "total" and one.base > 0]
    parts = [one for one in change.steps if one.series != "total"]
    like = [one for one in parts if whole and _is_like(one, whole[0])]
    if len(like) < _MANY or 2 * len(like) <= len(parts):
        return ""
    return (
        f"{len(like)} of {many(len(parts), 'step')} are in the proportion of the total"
        f" ({percent(whole[0])}): something that all paths share, such as a slower machine"
    )


def _is_like(one: LevelStep, whole: LevelStep) -> bool:
    """Whether the interval has what the series would be with the growth of the total."""
    if one.low is None or one.high is None:
        return False
    return one.low <= one.base * whole.delta / whole.base <= one.high


def facts(change: ChangePoint) -> list[str]:
    """A line for each."""
    return [fact(one, change) for one in change.facts]


def nothing_else() -> str:
    """Where no fact changed."""
    return "what recordings say of kernel, machine, labels and kept files is the same on both sides"


def diff_command(trend: Trend, change: ChangePoint) -> str:
    """What compares both sides, ready to be copied."""
    where = [word for each in change.where for word in ("--where", each)]
    return shlex.join(["perfduck", "diff", change.base, change.new, *where, *trend.filters])


def sparkline(costs: Sequence[float]) -> str:
    """A bar for each point, or for the mean of neighbours where there are many."""
    if not costs:
        return ""
    values = _thinned(costs)
    mean = sum(values) / len(values)
    low = min(*values, mean * (1 - _LEAST_RANGE), mean)
    high = max(*values, mean * (1 + _LEAST_RANGE), mean)
    if high <= low:
        return _BARS[0] * len(values)
    return "".join(
        _BARS[min(int((value - low) / (high - low) * len(_BARS)), len(_BARS) - 1)]
        for value in values
    )


def _thinned(costs: Sequence[float]) -> list[float]:
    size = max(-(-len(costs) // _WIDEST), 1)
    parts = [costs[start : start + size] for start in range(0, len(costs), size)]
    return [sum(part) / len(part) for part in parts]


def steps_of(group: TrendGroup, series: TrendSeries) -> list[LevelStep]:
    """The steps of a series in the order of the points, shifts among them."""
    return [
        one for change in group.changes for one in all_steps(change) if one.series == series.name
    ]


def all_steps(change: ChangePoint) -> list[LevelStep]:
    """The steps of a change, shifts among them."""
    return [*change.steps, *(one for pair in change.shifts for one in (pair.source, pair.target))]


def level(group: TrendGroup, series: TrendSeries) -> float:
    """The mean cost since the last change that lasted."""
    last = [one.place for one in steps_of(group, series) if one.state != "went away"]
    rest = series.costs[max(last, default=0) :]
    return sum(rest) / len(rest)


def shown_series(group: TrendGroup, most: int) -> list[TrendSeries]:
    """The total, what changed, and then the most expensive, `most` or as many as changed."""
    changed = {one.series for change in group.changes for one in all_steps(change)}
    first = [each for each in group.series if each.name == "total" or each.name in changed]
    rest = [each for each in group.series if each not in first]
    names = {each.name for each in (*first, *rest[: max(most - len(first), 0)])}
    return [each for each in group.series if each.name in names]
