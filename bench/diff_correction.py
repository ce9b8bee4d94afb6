"""Holm against maxT over a gate's budgets: `python bench/diff_correction.py STORE [TRIALS]`.

Random like runs of a group a side, budgets of no growth: the total and its dearest subsystems. In
A/A any budget exceeded is false; then one of the subsystems grows (diff_trials.py). maxT (Westfall
and Young 1993) holds each z against the largest of all budgets, over every way to deal the runs.
"""

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from diff_trials import Group, duplicated, groups

from perfduck_diff.engine.comparison import DiffOptions, measure
from perfduck_diff.engine.moderated_t import Design, ModeratedTTest, NodeRates
from perfduck_diff.engine.run_matrix import RunMatrix
from perfduck_model.arrays import Bool
from perfduck_store.duckdb.store import DuckDbStore

LEVEL = 0.05
HOLM_AS_LOUD = 0.075  # the level at which Holm raises as many false alarms as maxT


def holm(p: npt.NDArray[np.float64], level: float) -> Bool:
    rejected = np.zeros(len(p), dtype=np.bool_)
    for step, which in enumerate(np.argsort(p, kind="stable")):
        if p[which] > level / (len(p) - step):
            break
        rejected[which] = True
    return rejected


def maxt(model: ModeratedTTest, rows: NodeRates) -> Bool:
    runs = np.arange(rows.rates.shape[1])
    dealt = [list(some) for some in itertools.combinations(runs, len(runs) // 2)]
    z = np.array([_sides(model, some, np.delete(runs, some))(rows).z for some in dealt])
    rejected = np.zeros(z.shape[1], dtype=np.bool_)
    order = np.argsort(-z[0], kind="stable")  # the first way is the true one
    for step, which in enumerate(order):
        if (z[:, order[step:]].max(axis=1) >= z[0, which]).mean() > LEVEL:
            break
        rejected[which] = True
    return rejected


def _sides(model: ModeratedTTest, base: list[int], new: npt.NDArray[np.int64]) -> ModeratedTTest:
    return replace(model, design=Design(np.array(base), new, model.design.grain))


def dearest(runs: RunMatrix, count: int) -> list[int]:
    cost = np.bincount(runs.blame, runs.weight.sum(axis=1), len(runs.subsystems))
    order = np.argsort(-cost).tolist()
    return [row for row in order if runs.area.get(runs.subsystems[row]) != "user"][:count]


def grown(
    group: Group, picked: list[int], subsystem: int, growth: float, random: np.random.Generator
) -> RunMatrix:
    runs, mask = group.some(picked), group.runs.blame == subsystem
    weight, hits = runs.weight.copy(), runs.hits.copy()
    for column in range(len(picked) // 2, len(picked)):
        more = duplicated(group, picked[column], mask, growth, random)
        weight[:, column] += more * runs.runs[column].grain
        hits[:, column] += more
    return replace(runs, weight=weight, hits=hits)


def exceeded(runs: RunMatrix, subsystems: list[int]) -> dict[str, Bool]:
    """Of the total and each subsystem, by each rule."""
    n = len(runs.runs) // 2
    work = measure(runs, np.arange(n), np.arange(n, 2 * n), DiffOptions())
    parts = work.grouped(runs.blame, len(runs.subsystems))[np.array(subsystems)]
    rows = NodeRates(
        np.vstack([work.rows.rates[:1], parts.rates]), np.vstack([work.rows.mix[:1], parts.mix])
    )
    p = work.model(rows).growth
    return {
        "Holm": holm(p, LEVEL),
        "maxT": maxt(work.model, rows),
        f"Holm at {HOLM_AS_LOUD}": holm(p, HOLM_AS_LOUD),
    }


def hits(found: list[Group], growth: float, trials: int) -> dict[str, list[bool]]:
    """Whether a trial without growth has a false alarm; with growth, whether it is found."""
    random = np.random.default_rng(3)
    said: dict[str, list[bool]] = {}
    for n, count in itertools.product((4, 5), (3, 8)):
        for group in found * trials:
            asked = dearest(group.runs, count)
            which = int(random.integers(count))
            picked = random.permutation(len(group.runs.runs))[: 2 * n].tolist()
            runs = grown(group, picked, asked[which], growth, random)
            for name, over in exceeded(runs, asked).items():
                said.setdefault(name, []).append(bool(over[which + 1] if growth else over.any()))
    return said


def main() -> None:
    trials = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    with DuckDbStore(Path(sys.argv[1])) as store:
        found = groups(store, None, None)
    for growth in (0.0, 0.1, 0.2, 0.4):
        said = ", ".join(
            f"{name} {sum(each)}/{len(each)} = {np.mean(each):.1%}"
            for name, each in hits(found, growth, trials).items()
        )
        print(f"{f'+{growth:.0%} found' if growth else 'A/A false'}: {said}")


if __name__ == "__main__":
    main()
