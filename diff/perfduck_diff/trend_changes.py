"""Steps of single series, as change points: what is at one place is one, a cost that only shifted
is no growth, and beside it is what else changed there."""

from collections.abc import Sequence

from perfduck_diff.engine.change_points import Step
from perfduck_diff.trend_facts import changed_facts
from perfduck_diff.trend_group import MeasuredGroup
from perfduck_diff.trend_points import TIME, PointKey
from perfduck_diff.trend_result import ChangePoint, CostShift, LevelStep
from perfduck_store.protocol import Store
from perfduck_store.selector import quoted

MOST_OF_A_SIDE = 5  # points of which a diff takes the runs


def change_points(
    store: Store,
    group: MeasuredGroup,
    steps: Sequence[Step],
    over: str,
    where: tuple[str, ...],
) -> tuple[ChangePoint, ...]:
    """By place, each with what changed there."""
    places = _at_one_place(steps)
    starts = sorted({lead.place for lead, _ in places})
    return tuple(
        _change_point(store, group, (lead, own), starts, over, where)
        for lead, own in sorted(places, key=lambda each: each[0].place)
    )


def _sureness(step: Step) -> float:
    """The step over half its interval."""
    return abs(step.delta) / max(step.high - step.delta, 1e-300)


def _at_one_place(steps: Sequence[Step]) -> list[tuple[Step, list[Step]]]:
    """The surest steps, and with each all that may be at its place and are next to it."""
    in_order = sorted(steps, key=lambda step: (-_sureness(step), step.series))
    leads: list[Step] = []
    for step in in_order:
        if not any(_may_be_at(step, lead) for lead in leads):
            leads.append(step)
    members: dict[int, list[Step]] = {number: [] for number in range(len(leads))}
    for step in in_order:
        near = [number for number, lead in enumerate(leads) if step is lead]
        near = near or [n for n, lead in enumerate(leads) if _may_be_at(step, lead)]
        members[min(near, key=lambda n: abs(leads[n].place - step.place))].append(step)
    return [(lead, members[number]) for number, lead in enumerate(leads)]


def _may_be_at(step: Step, lead: Step) -> bool:
    return step.series != lead.series and step.earliest <= lead.place <= step.latest


def _change_point(
    store: Store,
    group: MeasuredGroup,
    change: tuple[Step, list[Step]],
    starts: Sequence[int],
    over: str,
    where: tuple[str, ...],
) -> ChangePoint:
    lead, own = change
    values = [point.value for point in group.points]
    shifts, steps = _shifted(_distinct(group, own))
    first, last = max(lead.earliest - 1, 0), lead.latest + 1
    base, new = _sides(group.points, lead, starts)
    return ChangePoint(
        place=lead.place,
        before=values[lead.place - 1],
        at=values[lead.place],
        earliest=values[lead.earliest],
        latest=values[lead.latest],
        steps=tuple(_level_step(group, step) for step in _largest_first(group, steps)),
        shifts=tuple(
            CostShift(source=_level_step(group, source), target=_level_step(group, target))
            for source, target in shifts
        ),
        facts=tuple(changed_facts(store, group.points[first:last], group.runs[first:last], over)),
        base=_selector(base, over, group.labels),
        new=_selector(new, over, group.labels),
        where=(*where, *_where(group.labels)),
    )


def _distinct(group: MeasuredGroup, steps: Sequence[Step]) -> list[Step]:
    """Of paths the surest: a growth shows in all callers and in callees, and is one."""
    distinct: list[Step] = []
    for step in steps:  # the surest first
        row = _row(group, step)
        others = [other for each in distinct if (other := _row(group, each))]
        if not row or not any(_are_one(group, row, other) for other in others):
            distinct.append(step)
    return distinct


def _are_one(group: MeasuredGroup, row: int, other: int) -> bool:
    return group.rows.is_within(row, other) or group.rows.is_within(other, row)


def _row(group: MeasuredGroup, step: Step) -> int:
    return int(group.tested[step.series])


def _largest_first(group: MeasuredGroup, steps: Sequence[Step]) -> list[Step]:
    return sorted(steps, key=lambda step: (_row(group, step) != 0, -abs(step.delta), step.series))


def _shifted(steps: Sequence[Step]) -> tuple[list[tuple[Step, Step]], list[Step]]:
    """Pairs of a loss and a gain whose sum may be nothing, the largest first; and the rest. The
    total, series 0, is no part of any."""
    rest = sorted(steps, key=lambda step: -abs(step.delta))
    pairs = []
    for source in list(rest):
        fitting = [each for each in rest if _balances(source, each)]
        if source.delta < 0 and source in rest and fitting:
            target = min(fitting, key=lambda each: abs(each.delta + source.delta))
            pairs.append((source, target))
            rest = [step for step in rest if step not in (source, target)]
    return pairs, rest


def _balances(source: Step, target: Step) -> bool:
    reach = ((source.high - source.delta) ** 2 + (target.high - target.delta) ** 2) ** 0.5
    is_parts = source.series != 0 and target.series != 0
    return is_parts and target.delta > 0 and abs(source.delta + target.delta) <= reach


def _level_step(group: MeasuredGroup, step: Step) -> LevelStep:
    return LevelStep(
        series=group.rows.names[_row(group, step)],
        place=step.place,
        base=step.base,
        new=step.new,
        delta=step.delta,
        low=step.low,
        high=step.high,
        p=step.p,
        q=step.q,
        points=step.points,
        state=step.state,
        until=None if step.until is None else group.points[step.until].value,
    )


def _sides(
    points: Sequence[PointKey], lead: Step, starts: Sequence[int]
) -> tuple[Sequence[PointKey], Sequence[PointKey]]:
    """Points next to the place on both sides, up to the next change."""
    begin = max([start for start in starts if start < lead.place], default=0)
    end = min([start for start in starts if start > lead.place], default=len(points))
    end = min(end, lead.until or end)
    before = points[max(begin, lead.place - MOST_OF_A_SIDE) : lead.place]
    return before, points[lead.place : min(end, lead.place + MOST_OF_A_SIDE)]


def _selector(points: Sequence[PointKey], over: str, labels: dict[str, str]) -> str:
    """Points by their value; by the names of their profiles where a label that the group has not
    divides it from others, which no selector can say."""
    if over == TIME or "" in labels.values():
        return "+".join(quoted(name) for point in points for name in point.profiles.values())
    return "+".join(f"{quoted(over)}={quoted(point.value)}" for point in points)


def _where(labels: dict[str, str]) -> tuple[str, ...]:
    """The labels of a group, as a selector."""
    terms = [f"{quoted(key)}={quoted(value)}" for key, value in labels.items() if value]
    return (",".join(terms),) if terms else ()
