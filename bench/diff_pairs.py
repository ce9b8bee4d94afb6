"""What pairs win where they share much: two scenarios of one workload, recorded in turns.

    python bench/diff_pairs.py STORE [--comm GLOB] [--sizes 3,5] [--trials 40]

Run k of one scenario and run k of the other are a pair. For each workload: how far the totals of
a pair go together, and how wide the interval of the total's growth is, paired over unpaired, on
the same random choice of rounds. The oracle's ratio is that of the true spreads, from all rounds.
"""

import argparse
from pathlib import Path

import numpy as np

from perfduck_diff.comparison_input import load_input
from perfduck_diff.engine import rates
from perfduck_diff.engine.comparison import DiffOptions
from perfduck_diff.engine.run_diff import run_diff
from perfduck_diff.engine.run_matrix import RunMatrix
from perfduck_diff.filters import Filters
from perfduck_model.arrays import Float64, Int64
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.selector import select


def rounds(store: DuckDbStore, comm: str | None) -> dict[str, tuple[RunMatrix, Int64, Int64]]:
    """Of each workload with two scenarios: the runs, and the columns of each, by number of run."""
    found: dict[str, dict[str, dict[int, str]]] = {}
    for name, labels in store.rows("select name, labels from profile order by name"):
        of = found.setdefault(labels.get("workload", ""), {})
        of.setdefault(labels.get("scenario", ""), {})[int(labels["run"])] = name
    made = {}
    for workload, (one, other) in ((w, of.values()) for w, of in found.items() if len(of) == 2):
        both = sorted(one.keys() & other.keys())
        names = [side[number] for side in (one, other) for number in both]
        profiles = select(store, "+".join(names))
        runs = load_input(store, {"both": profiles}, Filters(comm=(comm,) if comm else ())).runs
        place = [list(profiles.values()).index(name) for name in names]
        made[workload] = (runs, np.array(place[: len(both)]), np.array(place[len(both) :]))
    return made


def intervals(
    runs: RunMatrix, base: Int64, new: Int64, trials: int, n: int
) -> tuple[Float64, Float64]:
    """Paired and unpaired, of the total's growth: trial x (low, high)."""
    random = np.random.default_rng(n)
    found: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for _ in range(trials):
        some = random.permutation(len(base))[:n]
        for paired, limits in found.items():
            total = run_diff(runs, base[some], new[some], DiffOptions(paired=paired)).total
            limits.append((total.low or 0.0, total.high or 0.0))
    return np.array(found[True]), np.array(found[False])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--comm")
    parser.add_argument("--sizes", default="3,5")
    parser.add_argument("--trials", type=int, default=40)
    asked = parser.parse_args()
    with DuckDbStore(asked.store) as store:
        found = rounds(store, asked.comm)
    for workload, (runs, base, new) in found.items():
        total = runs.weight.sum(axis=0) / rates.rates(runs).divisor
        one, other = np.log(total[base]), np.log(total[new])
        true = (other - one).std(ddof=1) / np.sqrt(one.var(ddof=1) + other.var(ddof=1))
        print(f"{workload}: {len(base)} pairs, r = {np.corrcoef(one, other)[0, 1]:.2f},"
              f" true spread paired over unpaired {true:.2f}")  # fmt: skip
        for n in map(int, asked.sizes.split(",")):
            paired, plain = intervals(runs, base, new, asked.trials, n)
            low, middle, high = np.quantile(np.ptp(paired, 1) / np.ptp(plain, 1), (0.25, 0.5, 0.75))
            growth = float((total[new] - total[base]).mean())
            holds = [
                f"{np.mean((i[:, 0] <= growth) & (growth <= i[:, 1])):.0%}" for i in (paired, plain)
            ]
            print(f"  n = {n}: width paired over unpaired, median {middle:.2f}"
                  f" (quartiles {low:.2f}, {high:.2f}); growth over all rounds is within"
                  f" {holds[0]} of the paired, {holds[1]} of the others")  # fmt: skip


if __name__ == "__main__":
    main()
