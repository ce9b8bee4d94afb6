"""False alarms and found steps of `trend`, on simulated families: `python bench/trend_simulation.py
[FAMILIES]`, in an environment that has `pip install '.[bench-trend]'`.

A family is 15 series with 6 % noise from point to point. Either nothing changes, and any change is
a false alarm of the family; or one series grows by 12 % in the last quarter, and a change of it in
the second half is that it was found. Beside it Apache Otava and ruptures (PELT, penalty 3 ln n) on
a fifth of the families: their defaults know nothing of a family. Where Otava 0.8.0 fails on a
change that two of its windows found, the change counts. Intervals are 95 %, Clopper and Pearson.
"""

import sys
from collections.abc import Callable, Iterator

import numpy as np
import ruptures
from otava.analysis import compute_change_points
from scipy import stats

from perfduck_diff.engine.change_points import SeriesSet, changes
from perfduck_model.arrays import Float64

SERIES, NOISE, STEP = 15, 0.06, 0.12
POINTS = (12, 30, 100)
Found = Callable[[Float64], list[tuple[int, int]]]  # (series, place) of each change


def perfduck(values: Float64) -> list[tuple[int, int]]:
    return [(step.series, step.place) for step in changes(SeriesSet.of(values))]


def places(series: Float64, p: float) -> list[int]:
    try:
        return [int(point.index) for point in compute_change_points(series, max_pvalue=p)[0]]
    except ValueError:
        return [len(series) - 1]


def otava(p: float) -> Found:
    def found(values: Float64) -> list[tuple[int, int]]:
        return [(row, place) for row, series in enumerate(values) for place in places(series, p)]

    return found


def pelt(values: Float64) -> list[tuple[int, int]]:
    size = values.shape[1]
    scaled = values / values.mean(axis=1, keepdims=True) / NOISE
    return [
        (row, place)
        for row, series in enumerate(scaled)
        for place in ruptures.Pelt("l2", min_size=2, jump=1)
        .fit(series)
        .predict(3 * np.log(size))[:-1]
    ]


METHODS: dict[str, Found] = {
    "perfduck trend": perfduck,
    "Otava, p 0.001 (its default)": otava(0.001),
    "Otava, p 0.001 / 15": otava(0.001 / SERIES),
    "ruptures, PELT": pelt,
}


def families(
    points: int, number: int, step: float, *, heterogeneous: bool = False
) -> Iterator[Float64]:
    random = np.random.default_rng([points, int(step * 100), heterogeneous])
    for _ in range(number):
        mean = np.exp(random.normal(4, 1, (SERIES, 1)))
        noise = random.uniform(0.02, 0.15, (SERIES, 1)) if heterogeneous else NOISE
        values = mean * (1 + noise * random.standard_normal((SERIES, points)))
        values[0, int(points * 0.75) :] += step * mean[0]
        yield values


def part(hits: int, number: int) -> str:
    ends = stats.binomtest(hits, number).proportion_ci(method="exact")
    return f"{100 * hits / number:.1f} % ({100 * ends.low:.1f} .. {100 * ends.high:.1f})"


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(
        "| points | method | families with a false alarm | the same, noise 2 to 15 % | step found |"
    )
    print("|---:|---|---:|---:|---:|")
    for points in POINTS:
        for name, found in METHODS.items():
            some = number if found is perfduck else number // 5
            alarms = [
                sum(bool(found(values)) for values in families(points, some, 0, heterogeneous=h))
                for h in (False, True)
            ]
            hits = sum(
                any(row == 0 and place >= points // 2 for row, place in found(values))
                for values in families(points, some, STEP)
            )
            cells = [part(count, some) for count in (*alarms, hits)]
            print(f"| {points} | {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
