"""Where series of points change their level, and how sure that is.

Each series is split where the two means differ most, in standard errors, and the largest of these
over all splits is compared with what it is where nothing changed: a t-test at a split that was
chosen for its difference says too much (p = 0.001 is 9.5 % of series at 100 points). Its null
distribution is simulated for the number of points, with a fixed seed. Short excursions, which one
split sees badly, and what began two points ago have a statistic of their own and a twentieth of the
level. p values go through
Benjamini-Hochberg over all series of a family; parts of a series that changed are split again
(binary segmentation, Vostrikova 1981) at the level that the family left.

Variance is shared between series as in moderated_t.py: relative to what is expected of each, series
of a family have a common scale and certainty (Smyth 2004, doi:10.2202/1544-6115.1027), learned from
differences of neighbours, which a step moves little. At 30 points and a step of two standard
deviations this finds what 28 degrees of freedom alone miss. As a guard against heavy tails, a
series must also be unlikely among permutations of its own points.

A place is sure as far as the likelihood says (Hansen 2000, doi:10.1111/1468-0262.00124).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Literal, Self

import numpy as np
from scipy import special

from perfduck_diff.engine.moderated_t import benjamini_hochberg, fit_prior
from perfduck_model.arrays import Float64

LEVEL = 0.05  # of false changes among those found, over the series of a family
LEAST_POINTS = 8  # below, no order of the points is unlikely enough
LEAST_SEGMENT = 4  # points on both sides of a split
LEAST_EXCURSION = 2  # points of one, and before it
CONFIRMED = 4  # points from the change on
STEP_WEIGHT, EXCURSION_WEIGHT = 0.95, 0.05  # of the level
LONGEST_EXCURSION = 20
LEAST_SERIES = 5  # to learn a common variance from
# Degrees of freedom that a family's variance may count for, rounded down: each has a table.
PRIORS = (0, 1, 2, 3, 4, 6, 8, 11, 15, 20, 30, 45, 60, 100, 200)
SIMULATED, LEAST_SIMULATED, MOST_SIMULATED_CELLS = 40_000, 8_000, 2_000_000
PERMUTED = 199
PLACE_LIMIT = 7.35  # 95 % of the likelihood ratio of a place, Hansen 2000, table 1
ROUNDING = 1e-18  # of a variance over its square mean: what rounding leaves of equal numbers

State = Literal["suspected", "confirmed", "went away"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A change of level of row `series`: from point `place` on it is at `new`.

    `low` and `high` limit `delta` (95 %), `earliest` and `latest` the place. `points` are those
    from the place to the end. It went away at point `until`.
    """

    series: int
    place: int
    earliest: int
    latest: int
    base: float
    new: float
    delta: float
    low: float
    high: float
    p: float
    q: float
    points: int
    state: State
    until: int | None = None


@dataclass(frozen=True, slots=True)
class SeriesSet:
    """Rows of points in order, in units of their expected standard deviation.

    `least` is the variance that sampling alone makes, `prior` the variance (and its degrees of
    freedom) that the rows share.
    """

    values: Float64  # series x point, less the mean
    mean: Float64  # in the unit of the series
    scale: Float64  # of a unit of `values`, per row
    least: Float64
    prior: float
    prior_freedom: float

    @classmethod
    def of(
        cls, values: Float64, expected: Float64 | None = None, sampling: Float64 | None = None
    ) -> Self:
        """Series x point. `expected`, `sampling`: variance of a point, per series, that runs and
        samples, and that samples alone are expected to make; without, that of its mean."""
        square = np.maximum(np.mean(values, axis=1) ** 2, 1e-300)
        scale = np.sqrt(square if expected is None else np.maximum(expected, 1e-300))
        least = ROUNDING * square if sampling is None else np.maximum(sampling, ROUNDING * square)
        mean = values.mean(axis=1)
        centred = (values - mean[:, None]) / scale[:, None]
        return cls(centred, mean, scale, least / scale**2, *_shared_variance(centred))

    @property
    def points(self) -> int:
        """Of each series."""
        return int(self.values.shape[1])

    def p(self) -> Float64:
        """Of each row: that its points keep their level."""
        return self._p(slice(None), 0, self.points)

    def _p(self, rows: slice, start: int, stop: int) -> Float64:
        """Of some rows: that their points from start to stop keep their level."""
        values = self.values[rows, start:stop]
        if stop - start < LEAST_POINTS:
            return np.ones(len(values))
        p = np.minimum(*self._both(rows, start, stop))
        return np.array(
            [_guarded(value, row) for value, row in zip(p.tolist(), values, strict=True)]
        )

    def _both(self, rows: slice, start: int, stop: int) -> tuple[Float64, Float64]:
        """p of a step and of an excursion, for their part of the level."""
        step, excursion = _statistics(
            self.values[rows, start:stop], self.least[rows], self.prior, self.prior_freedom
        )
        steps, excursions = _null(stop - start, self.prior_freedom)
        return _p(steps, step) / STEP_WEIGHT, _p(excursions, excursion) / EXCURSION_WEIGHT

    def steps(self, row: int, p: float, q: float, cut: float) -> tuple[Step, ...]:
        """The changes of a row that has some. `cut`: the p that parts of it must not exceed."""
        p_of_steps = self._divided(row, 0, self.points, p, cut)
        places = _settled(self.values[row], sorted(p_of_steps))
        levels = self._levels(row, [0, *places, self.points])
        chances = [p_of_steps[place] for place in sorted(p_of_steps)]
        steps = [
            self._step(row, levels, number, chance, q) for number, chance in enumerate(chances)
        ]
        return _returned(steps, levels, float(self.scale[row]))

    def _step(self, row: int, levels: "_Levels", number: int, p: float, q: float) -> Step:
        start, place, stop = levels.ends[number : number + 3]
        reach = levels.reach(place - start, stop - place)
        earliest, latest = _place_limits(self.values[row, start:stop], levels.variance)
        mean, unit = float(self.mean[row]), float(self.scale[row])
        base, new = levels.means[number : number + 2]
        return Step(
            series=row,
            place=place,
            earliest=start + earliest,
            latest=start + latest,
            base=mean + base * unit,
            new=mean + new * unit,
            delta=(new - base) * unit,
            low=(new - base - reach) * unit,
            high=(new - base + reach) * unit,
            p=p,
            q=q,
            points=self.points - place,
            state="confirmed" if self.points - place >= CONFIRMED else "suspected",
        )

    def _divided(self, row: int, start: int, stop: int, p: float, cut: float) -> dict[int, float]:
        """Places and their p: where the part is split, and all its parts in turn."""
        if p > cut:
            return {}
        place, excursion = _best(self.values[row, start:stop])
        step, other = self._both(slice(row, row + 1), start, stop)
        inner = (place,) if step[0] <= other[0] else excursion
        ends = [start, *(start + each for each in inner if each < stop - start), stop]
        p_of_ends = dict.fromkeys(ends[1:-1], p)
        for first, last in pairwise(ends):
            [part] = self._p(slice(row, row + 1), first, last)
            p_of_ends |= self._divided(row, first, last, float(part), cut)
        return p_of_ends

    def _levels(self, row: int, ends: list[int]) -> "_Levels":
        values = self.values[row]
        parts = [values[start:stop] for start, stop in pairwise(ends)]
        rest = sum(float(((part - part.mean()) ** 2).sum()) for part in parts)
        freedom = self.prior_freedom + len(values) - len(parts)
        variance = (self.prior_freedom * self.prior + rest) / freedom
        means = tuple(float(part.mean()) for part in parts)
        return _Levels(ends, means, max(variance, float(self.least[row])), freedom)


@dataclass(frozen=True, slots=True)
class _Levels:
    """Means between the places of a row, the variance of a point about them, and its degrees of
    freedom."""

    ends: list[int]
    means: tuple[float, ...]
    variance: float
    freedom: float

    def reach(self, first: int, second: int) -> float:
        """Half the 95 % interval of a difference between means of so many points."""
        error = np.sqrt(self.variance * (1 / first + 1 / second))
        return float(special.stdtrit(self.freedom, 0.975) * error)


def family(p: Float64) -> tuple[Float64, float]:
    """q of the series of a family, and the p that is low enough in it; 0 where none is."""
    q = benjamini_hochberg(p)
    return q, LEVEL * int((q <= LEVEL).sum()) / max(len(p), 1)


def changes(series: SeriesSet) -> tuple[Step, ...]:
    """All changes of the series, which are a family, by place."""
    p = series.p()
    q, cut = family(p)
    steps = [
        step
        for row in np.flatnonzero(q <= LEVEL).tolist()
        for step in series.steps(row, float(p[row]), float(q[row]), cut)
    ]
    return tuple(sorted(steps, key=lambda step: (step.place, step.series)))


def _shared_variance(values: Float64) -> tuple[float, float]:
    """Variance that the rows share, and the degrees of freedom it is worth: (1, 0) for few."""
    own = np.diff(values, axis=1) ** 2
    squares = own.sum(axis=1) / 2 / max(values.shape[1] - 1, 1)
    squares = squares[squares > 0]
    if len(squares) < LEAST_SERIES or values.shape[1] < LEAST_POINTS:
        return 1.0, 0.0
    # von Neumann 1941: differences of neighbours are worth two thirds of the points
    freedom, variance = fit_prior(squares, 2 / 3 * (values.shape[1] - 1))
    return variance, float(max(prior for prior in PRIORS if prior <= max(freedom, 0.0)))


def _between(values: Float64, least: int = LEAST_SEGMENT) -> Float64:
    """Sum of squares between the two parts of every split: series x split, from `least` on."""
    size = values.shape[1]
    first = np.arange(least, size - least + 1)
    sums = np.cumsum(values, axis=1)
    left = sums[:, first - 1] - first * (sums[:, -1:] / size)
    return np.asarray(left**2 * (size / (first * (size - first))))


def _excursions(values: Float64) -> Iterator[tuple[int, Float64]]:
    """Lengths, and the sums of squares between an excursion of so many points and the rest: series
    x start, from LEAST_EXCURSION to where it is at the end."""
    size = values.shape[1]
    centred = values - values.mean(axis=1, keepdims=True)
    sums = np.cumsum(np.pad(centred, ((0, 0), (1, 0))), axis=1)
    for length in range(LEAST_EXCURSION, min(size // 3, LONGEST_EXCURSION) + 1):
        inside = sums[:, length + LEAST_EXCURSION :] - sums[:, LEAST_EXCURSION : size + 1 - length]
        yield length, np.asarray(inside**2 * (size / (length * (size - length))))


def _best(values: Float64) -> tuple[int, tuple[int, int]]:
    """Where one split, and where an excursion, explains most of these points."""
    row = values[None, :]
    place = int(_between(row)[0].argmax()) + LEAST_SEGMENT
    length, squares = max(_excursions(row), key=lambda one: float(one[1].max()))
    start = int(squares[0].argmax()) + LEAST_EXCURSION
    return place, (start, start + length)


def _statistics(
    values: Float64, least: Float64, prior: float, prior_freedom: float
) -> tuple[Float64, Float64]:
    """Of each row the largest squared t over its splits, and over its excursions."""
    size = values.shape[1]
    whole = ((values - values.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    step = _between(values).max(axis=1)
    excursion = np.max([each.max(axis=1) for _, each in _excursions(values)], axis=0)
    freedom = prior_freedom + size - 2

    def squared_t(between: Float64) -> Float64:
        rest = np.maximum(whole - between, 0.0)
        variance = np.maximum((prior_freedom * prior + rest) / freedom, least)
        return np.asarray(between / variance)

    return squared_t(step), squared_t(excursion)


@lru_cache(maxsize=64)
def _null(size: int, prior_freedom: float) -> tuple[Float64, Float64]:
    """Both statistics of series of so many points that do not change, sorted."""
    random = np.random.default_rng([size, round(prior_freedom)])
    number = max(min(SIMULATED, MOST_SIMULATED_CELLS // size), LEAST_SIMULATED)
    values = random.standard_normal((number, size))
    if prior_freedom:
        values *= np.sqrt(prior_freedom / random.chisquare(prior_freedom, number))[:, None]
    step, excursion = _statistics(values, np.zeros(number), 1.0, prior_freedom)
    return np.sort(step), np.sort(excursion)


def _p(table: Float64, statistic: Float64) -> Float64:
    """The part of the simulated statistics that is as large, the own one counted."""
    larger = len(table) - np.searchsorted(table, statistic, side="left")
    return np.asarray((1 + larger) / (1 + len(table)))


def _guarded(p: float, values: Float64) -> float:
    """p, unless permutations of the points look the same too often: then what these say."""
    if p > LEVEL:
        return min(p, 1.0)
    random = np.random.default_rng(len(values))
    rows = np.vstack([values, random.permuted(np.tile(values, (PERMUTED, 1)), axis=1)])
    both = _statistics(rows, np.full(len(rows), 1e-300), 1.0, 0.0)
    own = min(float((each >= each[0] * (1 - 1e-9)).mean()) for each in both)
    return p if own <= LEVEL else max(p, own)


def _settled(values: Float64, places: list[int]) -> list[int]:
    """Each place again, between its neighbours: the first split of a series was made before the
    others were known (Bai 1997, doi:10.1017/S0266466600005831)."""
    ends = [0, *places, len(values)]
    for number in range(1, len(ends) - 1):
        start, stop = ends[number - 1], ends[number + 1]
        if stop - start >= 2 * LEAST_EXCURSION:
            part = _between(values[None, start:stop], LEAST_EXCURSION)[0]
            ends[number] = start + LEAST_EXCURSION + int(part.argmax())
    return ends[1:-1]


def _place_limits(values: Float64, variance: float) -> tuple[int, int]:
    """The first and last place that are not much less likely than the best."""
    squares = _between(values[None, :], 1)[0]
    likely = np.flatnonzero(squares.max() - squares <= PLACE_LIMIT * variance) + 1
    return int(likely[0]), int(likely[-1])


def _returned(steps: list[Step], levels: _Levels, unit: float) -> tuple[Step, ...]:
    """A step that the next one takes back is one that went away."""
    steps_left: list[Step] = []
    rest = list(enumerate(steps))
    while rest:
        number, step = rest.pop(0)
        if rest and _takes_back(rest[0][1], step, levels, number, unit):
            step = replace(step, state="went away", until=rest.pop(0)[1].place)
        steps_left.append(step)
    return tuple(steps_left)


def _takes_back(back: Step, step: Step, levels: _Levels, number: int, unit: float) -> bool:
    before, _, after = (stop - start for start, stop in pairwise(levels.ends[number : number + 4]))
    is_level = abs(back.new - step.base) <= levels.reach(before, after) * unit
    return step.delta * back.delta < 0 and is_level
