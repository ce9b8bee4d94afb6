"""Do budgets that `budget suggest` writes let like runs pass, and no growth?

    python bench/diff_gate.py STORE [--comm GLOB] [--sizes 2,3] [--trials 20]

Of each group of like runs some are the history that budgets are suggested from, as README does it,
and others are compared: as they are, and with everything in the new side 1.2 times as expensive.
Where there are too few for both, all runs are the history.
"""

import argparse
import tomllib
from pathlib import Path

import numpy as np
from diff_evaluation import clopper_pearson
from diff_trials import Group, groups
from diff_verdicts import Asked, judged, like

from perfduck_diff.budget_suggestion import suggest
from perfduck_diff.engine.budget import Budgets, parse
from perfduck_diff.filters import Filters
from perfduck_report import budget_file
from perfduck_store.duckdb.store import DuckDbStore

FACTORS = (1.0, 1.2)
OF_A_HISTORY = 4  # comparisons


def suggested(
    store: DuckDbStore, group: Group, history: list[int], n: int, comm: str | None
) -> Budgets:
    names = "+".join(f'"{group.runs.runs[run].name}"' for run in history)
    found = suggest(store, names, 0.95, n, Filters(comm=(comm,) if comm else ()))
    return parse(tomllib.loads(budget_file.text(found)), "suggested")


def gate(
    store: DuckDbStore, found: list[Group], n: int, trials: int, comm: str | None
) -> dict[float, list[str]]:
    """The verdicts, by factor."""
    random, asked = np.random.default_rng(n), Asked(trials, "rerooted", paired=False, like=True)
    verdicts: dict[float, list[str]] = {factor: [] for factor in FACTORS}
    for group in found:
        size, known = len(group.runs.runs), like(group, found)
        for _ in range(trials // OF_A_HISTORY):
            order = random.permutation(size).tolist()
            history = order[2 * n :] if size - 2 * n > 1 else order
            budgets = suggested(store, group, history, n, comm)
            for _ in range(OF_A_HISTORY):
                some = random.permutation(order[: 2 * n]).tolist()
                for factor, said in verdicts.items():
                    answer = judged(
                        group, (some[:n], some[n:]), factor, asked, like=known, budgets=budgets
                    )
                    said.append(answer.verdict)
    return verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--comm")
    parser.add_argument("--sizes", default="2,3,5")
    parser.add_argument("--trials", type=int, default=20, help="comparisons of a group")
    asked = parser.parse_args()
    with DuckDbStore(asked.store) as store:
        found = groups(store, None, asked.comm)
        for n in map(int, asked.sizes.split(",")):
            for factor, said in gate(store, found, n, asked.trials, asked.comm).items():
                parts = (
                    f"{verdict} {clopper_pearson(said.count(verdict), len(said))}"
                    for verdict in ("pass", "inconclusive", "regression")
                )
                print(f"n = {n}, x {factor}: " + "; ".join(parts), flush=True)


if __name__ == "__main__":
    main()
