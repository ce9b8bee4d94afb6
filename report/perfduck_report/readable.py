"""An answer as people read it: amounts in the unit that fits, every name visible.

Reports for people show these; JSON has the numbers and names as they are.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from perfduck_diff.compare_groups import Matrix
from perfduck_diff.engine.flame import Flame, Heat
from perfduck_diff.engine.rates import SubsystemRuns
from perfduck_diff.engine.result import Diff
from perfduck_diff.engine.sandwich import Sandwich
from perfduck_diff.trend_result import TrendGroup
from perfduck_report.names import all_visible
from perfduck_report.numbers import UnitScale, scale, scaled

Answer = TypeVar("Answer")


def diff(answer: Diff) -> Diff:
    """In the unit that fits the smaller side; other core PMUs, which have units of their own, as
    they are."""
    others = answer.other_pmus
    shown = _shown(replace(answer, other_pmus=()), diff_scale(answer))
    return replace(shown, other_pmus=others)


def diff_scale(answer: Diff) -> UnitScale:
    """What a drawing beside the diff has to be scaled by."""
    return scale(answer.unit, _smallest((answer.total.base, answer.total.new)))


def matrix(answer: Matrix) -> Matrix:
    """In the unit that fits the smallest group."""
    return _shown(answer, scale(answer.unit, _smallest(tuple(c.value for c in answer.total))))


def trend_group(answer: TrendGroup) -> TrendGroup:
    """In the unit that fits the least expensive point."""
    return _shown(answer, scale(answer.unit, _smallest(answer.series[0].costs)))


def flame(answer: Flame, by: UnitScale | None = None) -> Flame:
    """In the unit of the diff beside it, else in the one that fits."""
    return _shown(answer, by or flame_scale(answer))


def flame_scale(answer: Flame) -> UnitScale:
    """What amounts beside a drawing have to be scaled by."""
    return scale(answer.unit, _smallest(answer.total))


def sandwich_scale(answer: Sandwich) -> UnitScale:
    """What both trees of a function are scaled by."""
    return scale(answer.callers.unit, _smallest(answer.whole))


def heat(rows: tuple[Heat, ...], by: UnitScale) -> tuple[Heat, ...]:
    """In the unit of the drawing beside them."""
    return tuple(_shown(row, by) for row in rows)


def runs(rows: Sequence[SubsystemRuns], by: UnitScale) -> tuple[SubsystemRuns, ...]:
    """In the unit of the diff that they are of."""
    return tuple(_shown(row, by) for row in rows)


def _smallest(totals: tuple[float, ...]) -> float:
    return min((total for total in totals if total > 0), default=0.0)


def _shown(answer: Answer, by: UnitScale) -> Answer:
    return all_visible(scaled(answer, by))
