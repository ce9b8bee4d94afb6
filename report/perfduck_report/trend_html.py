"""A trend as a page: one file, its charts drawn here as SVG, so that they need no script."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from perfduck_diff.trend_result import ChangePoint, LevelStep, Trend, TrendGroup, TrendSeries
from perfduck_report import readable, trend_words
from perfduck_report.html import assets, render_page
from perfduck_report.names import visible
from perfduck_report.numbers import amount
from perfduck_report.screen import PIPE, Screen

CHARTS = 9
WIDTH, HEIGHT, EDGE = 640.0, 150.0, 10.0  # of a drawing, in its own units
_HEADROOM = 1.08


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """A point of a chart: where it is, how far its runs spread, and what it says."""

    x: float
    y: float
    low: float | None
    high: float | None
    words: str


@dataclass(frozen=True, slots=True)
class ChartStep:
    """A change in a chart: where, and which way."""

    x: float
    kind: str  # up, down


@dataclass(frozen=True, slots=True)
class TrendChart:
    """A series, drawn: amounts from 0 to `top`."""

    name: str
    top: str
    level: float
    points: tuple[ChartPoint, ...]
    line: str
    levels: str
    steps: tuple[ChartStep, ...]
    says: tuple[str, ...]
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class ShownChange:
    """A change of the page: its words, its command, and the number that its link has."""

    change: ChangePoint
    title: str
    shared: str
    facts: tuple[str, ...]
    command: str
    number: int


@dataclass(frozen=True, slots=True)
class ShownGroup:
    """A group of the page."""

    group: TrendGroup
    heading: str
    changes: tuple[ShownChange, ...]
    charts: tuple[TrendChart, ...]


def page(trend: Trend, _: Screen = PIPE) -> str:
    """The page of a trend."""
    return render_page("trend.html", trend_values(trend), [assets()["tables.js"]])


def trend_values(trend: Trend) -> dict[str, object]:
    """What trend.html shows."""
    groups = [readable.trend_group(group) for group in trend.groups]
    return {
        "trend": trend,
        "verdict": trend_words.verdict(trend),
        "notes": [visible(note) for note in trend.notes],
        "over": visible(trend.over),
        "groups": [_group(trend, group) for group in groups],
    }


def _group(trend: Trend, group: TrendGroup) -> ShownGroup:
    return ShownGroup(
        group,
        trend_words.heading(trend, group),
        tuple(
            ShownChange(
                change,
                trend_words.title(change, trend.over),
                trend_words.shared(change),
                tuple(trend_words.facts(change)),
                trend_words.diff_command(trend, change),
                number,
            )
            for number, change in enumerate(group.changes)
        ),
        tuple(_chart(group, each) for each in trend_words.shown_series(group, CHARTS)),
    )


def _chart(group: TrendGroup, series: TrendSeries) -> TrendChart:
    spreads = [spread or 0.0 for spread in series.spreads]
    most = max(cost + spread for cost, spread in zip(series.costs, spreads, strict=True))
    top = most * _HEADROOM or 1.0
    steps = trend_words.steps_of(group, series)
    points = tuple(_point(number, group, series, top) for number in range(len(group.points)))
    return TrendChart(
        series.name,
        amount(most),
        trend_words.level(group, series),
        points,
        " ".join(f"{point.x:g},{point.y:g}" for point in points),
        _levels(group, series, steps, top),
        tuple(
            ChartStep(_x(one.place - 0.5, len(points)), "up" if one.delta > 0 else "down")
            for one in steps
        ),
        tuple(trend_words.step(one) for one in steps),
        trend_words.value(group.points[0].value),
        trend_words.value(group.points[-1].value),
    )


def _x(number: float, points: int) -> float:
    return round(EDGE + (WIDTH - 2 * EDGE) * (number + 0.5) / points, 1)


def _y(cost: float, top: float) -> float:
    return round(HEIGHT * (1 - max(cost, 0.0) / top), 1)


def _point(number: int, group: TrendGroup, series: TrendSeries, top: float) -> ChartPoint:
    point, cost, spread = group.points[number], series.costs[number], series.spreads[number]
    runs = f", {len(point.runs)} runs ± {amount(spread)}" if spread is not None else ""
    low, high = (None if spread is None else _y(cost + way * spread, top) for way in (-1, 1))
    at = f" ({point.at})" if point.at and point.at != point.value else ""
    words = f"{trend_words.value(point.value)}{at}: {amount(cost)} {group.unit}{runs}"
    return ChartPoint(_x(number, len(group.points)), _y(cost, top), low, high, words)


def _levels(group: TrendGroup, series: TrendSeries, steps: Sequence[LevelStep], top: float) -> str:
    """The mean level between changes, as a path."""
    size = len(series.costs)
    values = [point.value for point in group.points]
    back = [values.index(one.until) for one in steps if one.until is not None]
    places = sorted({*back, *(one.place for one in steps)})
    ends = [0, *places, size]
    parts = []
    for start, stop in pairwise(ends):
        mean = sum(series.costs[start:stop]) / (stop - start)
        y = _y(mean, top)
        parts.append(f"M{_x(start - 0.5, size):g} {y:g}H{_x(stop - 0.5, size):g}")
    return "".join(parts)
