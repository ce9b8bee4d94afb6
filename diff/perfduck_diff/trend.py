"""Series of costs over commits, time or a label, where their level changed, and what else did.

points     which recordings are one (trend_points.py), replicates as their mean and spread
series     total, what is blamed on each subsystem, or the weight below each path; ns per unit
changes    engine/change_points.py, over all series of all groups as one family
place      steps that may be at one place are one change point, with what changed there
           (trend_facts.py) and the runs before and after it, for `diff`
"""

from collections.abc import Iterator

import numpy as np

from perfduck_diff.engine import rates
from perfduck_diff.engine.change_points import LEAST_POINTS, LEVEL, family
from perfduck_diff.engine.result import Reason
from perfduck_diff.engine.series_rows import LEAST_SHARE
from perfduck_diff.filters import Filters
from perfduck_diff.history import recalled_from
from perfduck_diff.keys import SeriesKey
from perfduck_diff.trend_changes import change_points
from perfduck_diff.trend_group import LEAST_SAMPLES, MeasuredGroup, measured
from perfduck_diff.trend_points import CommitOrder, PointKey, ordered_points
from perfduck_diff.trend_result import Trend, TrendGroup, TrendPoint, TrendSeries
from perfduck_model.arrays import Float64
from perfduck_model.errors import PerfduckError
from perfduck_store.protocol import Store
from perfduck_store.selector import select


def trend(
    store: Store,
    selector: str,
    over: str,
    *,
    by: SeriesKey = "subsystem",
    filters: Filters | None = None,
    commits: CommitOrder | None = None,
) -> Trend:
    """The trend of the selected profiles. `commits` orders commits; without, their labels do.
    PerfduckError where there is nothing to order by."""
    filters = filters or Filters()
    ordered = ordered_points(store, select(store, selector, filters.where), over, commits)
    try:
        groups = [measured(store, labels, points, by, filters) for labels, points in ordered.groups]
    except rates.CannotDivideError as error:
        raise PerfduckError(str(error)) from error
    chances = [group.series.p() for group in groups]
    q, cut = family(np.concatenate(chances))
    ends = np.cumsum([len(each) for each in chances])[:-1]
    where = (selector, *filters.where)
    return Trend(
        over=over,
        by=by,
        order=ordered.order,
        groups=tuple(
            _group(store, group, (p, own, cut), over, where)
            for group, p, own in zip(groups, chances, np.split(q, ends), strict=True)
        ),
        tested=len(q),
        filters=filters.typed(),
        notes=ordered.notes,
    )


def _group(
    store: Store,
    group: MeasuredGroup,
    chances: tuple[Float64, Float64, float],
    over: str,
    where: tuple[str, ...],
) -> TrendGroup:
    p, q, cut = chances
    steps = [
        step
        for row in np.flatnonzero(q <= LEVEL).tolist()
        for step in group.series.steps(row, float(p[row]), float(q[row]), cut)
    ]
    return TrendGroup(
        labels=group.labels,
        unit=group.raw.unit.unit,
        event=group.question.runs.event,
        points=tuple(_point(point) for point in group.points),
        series=tuple(_series(group)),
        changes=change_points(store, group, steps, over, where),
        reasons=(*group.raw.unit.reasons, *group.question.reasons, *_notes(store, group)),
    )


def _point(point: PointKey) -> TrendPoint:
    at = point.at.isoformat() if point.at else None
    return TrendPoint(value=point.value, at=at, runs=tuple(point.profiles.values()))


def _series(group: MeasuredGroup) -> Iterator[TrendSeries]:
    """The total, then the most expensive first."""
    tested = set(group.tested.tolist())
    mean = group.costs.mean(axis=1)
    order = sorted(range(1, len(mean)), key=lambda row: (-mean[row], group.rows.names[row]))
    for row in (0, *order):
        rates = group.rows.rates[row]
        yield TrendSeries(
            name=group.rows.names[row],
            area=group.rows.areas[row],
            costs=tuple(group.costs[row].tolist()),
            spreads=tuple(
                _spread(rates[group.of_point == point]) for point in range(len(group.points))
            ),
            is_tested=row in tested,
        )


def _spread(rates: Float64) -> float | None:
    return float(rates.std(ddof=1)) if len(rates) > 1 else None


def _notes(store: Store, group: MeasuredGroup) -> Iterator[Reason]:
    """Why there may be changes that are not found, and what the test goes by."""
    points, rest = len(group.points), len(group.costs) - len(group.tested)
    if points < LEAST_POINTS:
        text = f"{LEAST_POINTS} points or more are tested, there are {points}"
        yield Reason(code="points", text=text, blocks=False)
    elif rest:
        series = "1 series" if rest == 1 else f"{rest} series"
        text = f"not tested, with under {LEAST_SAMPLES:g} samples a point: {series}"
        yield Reason(code="samples", text=text, blocks=False)
    if group.rows.is_of_paths:
        text = (
            f"paths with under {100 * LEAST_SHARE:g} % of the cost have no series; of a change the"
            " surest path is listed, without its callers and callees"
        )
        yield Reason(code="paths", text=text, blocks=False)
    for note in group.notes:
        yield Reason(code=note.code, text=note.text, blocks=False)
    for line in recalled_from(store, group.question, None):
        yield Reason(code="noise", text=line, blocks=False)
