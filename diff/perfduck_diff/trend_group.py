"""The runs of a group of a trend, and the cost of each of its series at each point."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from perfduck_diff.comparison_input import Question, load_input
from perfduck_diff.engine.change_points import LEAST_POINTS, SeriesSet
from perfduck_diff.engine.noise import assumed
from perfduck_diff.engine.rates import NoiseClasses, StackRates
from perfduck_diff.engine.run_matrix import Run, gathered
from perfduck_diff.engine.series_rows import SeriesRows
from perfduck_diff.filters import Filters
from perfduck_diff.history import recall
from perfduck_diff.keys import SeriesKey
from perfduck_diff.pod_notes import notes_beside
from perfduck_diff.selection import Note
from perfduck_diff.trend_points import PointKey
from perfduck_model.arrays import Float64, Int64
from perfduck_model.errors import PerfduckError
from perfduck_store.protocol import Store

LEAST_SAMPLES = 5.0  # a point, for a series to be tested
_MOST_COST = 1e60  # the square of a variance is still a float64


@dataclass(frozen=True, slots=True)
class MeasuredGroup:
    """The runs of a group, which point each is of, and its series: row x run, row x point."""

    labels: dict[str, str]
    points: tuple[PointKey, ...]
    question: Question
    raw: StackRates
    of_point: Int64
    rows: SeriesRows
    costs: Float64
    series: SeriesSet  # of the tested rows
    tested: Int64  # rows that are tested
    notes: tuple[Note, ...]  # on pods and network namespaces

    @property
    def runs(self) -> list[list[Run]]:
        """The runs of each point."""
        runs = self.question.runs.runs
        return [
            [runs[run] for run in np.flatnonzero(self.of_point == point)]
            for point in range(len(self.points))
        ]


def measured(
    store: Store,
    labels: dict[str, str],
    points: tuple[PointKey, ...],
    by: SeriesKey,
    filters: Filters,
) -> MeasuredGroup:
    """The runs of these points. CannotDivideError where they say nothing to divide by,
    PerfduckError for a cost beyond arithmetic."""
    place = {key: number for number, point in enumerate(points) for key in point.profiles}
    group = {key: name for point in points for key, name in point.profiles.items()}
    question = load_input(store, {_title(labels): group}, filters)
    notes = notes_beside(question.selection, by)
    points_of_runs, of_point = np.unique(
        [place[key] for key in question.profiles[0]], return_inverse=True
    )
    raw = StackRates.of(question.runs)
    _check_costs(raw, question.runs.runs)
    least = LEAST_SAMPLES * len(points_of_runs)
    rows = SeriesRows.of(question.runs, raw, by, least)
    is_tested = (rows.hits.sum(axis=1) >= least) & (len(points_of_runs) >= LEAST_POINTS)
    tested = np.flatnonzero(is_tested)
    costs = _means(rows.rates, of_point)
    series = SeriesSet.of(costs[tested], *_expected(store, question, raw, rows, of_point, tested))
    return MeasuredGroup(
        labels,
        tuple(points[number] for number in points_of_runs),
        question,
        raw,
        of_point,
        rows,
        costs,
        series,
        tested,
        notes,
    )


def _check_costs(raw: StackRates, runs: Sequence[Run]) -> None:
    for run, cost in zip(runs, raw.totals, strict=True):
        if not cost < _MOST_COST:
            raise PerfduckError.at(
                run.name,
                expected=f"a cost below {_MOST_COST:.0e} {raw.unit.unit}",
                got=f"{cost:.3g}" + (f": its work is {run.work:.3g}" if run.work else ""),
            )


def _title(labels: Mapping[str, str]) -> str:
    return " ".join(labels.values())


def _means(values: Float64, of_point: Int64) -> Float64:
    """Of the runs of each point: row x point, from row x run."""
    number = int(of_point.max()) + 1
    runs = np.bincount(of_point, minlength=number)
    return gathered(of_point, number, values.T).T / runs


def _expected(
    store: Store,
    question: Question,
    raw: StackRates,
    rows: SeriesRows,
    of_point: Int64,
    tested: Int64,
) -> tuple[Float64, Float64]:
    """Variance of a point, per tested row: of runs and samples together, and of samples alone."""
    classes = NoiseClasses.of_stacks(question.runs)
    prior = recall(store, question, None)
    noise = prior.over(classes.names) if prior else assumed(classes.names)
    mean = rows.rates[tested].mean(axis=1, keepdims=True)
    within, between = noise.variance(mean, raw.weight_per_sample[None, :], rows.mix[tested])
    a_point = 1 / np.bincount(of_point)[of_point]
    return ((within + between) * a_point).mean(axis=1), (within * a_point).mean(axis=1)
