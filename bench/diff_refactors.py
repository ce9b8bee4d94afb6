"""Does refactored code gate, and is growth found beside it? On real runs, refactored on one side.

    perfduck ingest --manifest recordings.csv --kallsyms kallsyms.gz --store runs.duckdb
    python bench/diff_refactors.py runs.duckdb --sizes 2 --trials 8
    python bench/diff_refactors.py runs.duckdb --sizes 2,3,5 --trials 8 --growth 1.0

Runs of one scenario and workload are split in two; the stacks of the new side are refactored in
one of 18 ways (refactorings.py), at a function with 3 to 50 % of the total. What gates then is
false. With `--growth` a path below that function grows as well (samples of random blocks of 100 ms
twice, as in diff_evaluation.py): it counts as found if what gates adds up to 0.5 to 2 times that.
Each trial is also done without the refactoring: what gates then is noise, and growth found then is
growth alone.
"""

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from diff_evaluation import clopper_pearson
from diff_trials import Group, duplicated, groups, splits
from refactorings import KINDS, Code, applied

from perfduck_diff.engine.comparison import DiffOptions, measure
from perfduck_diff.engine.result import Diff
from perfduck_diff.engine.run_diff import run_diff
from perfduck_diff.engine.run_matrix import RunMatrix
from perfduck_store.duckdb.store import DuckDbStore

INNER, LEAF = (0.03, 0.5), (0.01, 0.5)  # parts of the total: what the function has below, itself
GROWN = (0.02, 0.1)  # parts of the total that a path to grow has


def functions(runs: RunMatrix, kind: str) -> list[int]:
    """Kernel functions that are large enough and have a caller that is no entry."""
    entry = runs.entry()
    owner, codes = runs.stacks.flat()
    weight = runs.weight.mean(axis=1)
    inner = np.bincount(*_distinct(runs), len(runs.frames)) / weight.sum()
    leaf = np.bincount(np.maximum(runs.stacks.ends(leaf=True), 0), weight, len(runs.frames))
    leaf /= weight.sum()
    within = INNER if kind == "inner" else LEAF
    share = inner if kind == "inner" else leaf
    kernel = np.array([frame.kernel and not frame.name.startswith("[") for frame in runs.frames])
    above = np.zeros(len(runs.frames), dtype=bool)
    above[codes[1:][(owner[1:] == owner[:-1]) & ~entry[codes[:-1]]]] = True
    fits = (share >= within[0]) & (share <= within[1]) & kernel & above & ~entry
    if kind == "inner":
        fits &= leaf < 0.9 * inner
    return np.flatnonzero(fits).tolist()


def _distinct(runs: RunMatrix) -> tuple[np.ndarray, np.ndarray]:
    owner, codes = runs.stacks.distinct()
    return codes, runs.weight.mean(axis=1)[owner]


def grown(group: Group, runs: RunMatrix, picked: list[int], n: int, function: int, factor: float,
          random: np.random.Generator) -> tuple[RunMatrix, float]:  # fmt: skip
    """The runs with a path grown on the new side, one below the function if there is any."""
    work = measure(runs, np.arange(n), np.arange(n, 2 * n), DiffOptions())
    share = work.rows.rates.mean(axis=1) / work.rows.rates[0].mean()
    nodes = np.flatnonzero((share >= GROWN[0]) & (share <= GROWN[1]))
    below = [node for node in nodes.tolist() if function in work.tree.path(node)[:-1]]
    node = int(random.choice(below or nodes.tolist()))
    mask = work.tree.below(node)[work.tree.leaf]
    weight, hits, added = runs.weight.copy(), runs.hits.copy(), 0.0
    for column in range(n, 2 * n):
        more = duplicated(group, picked[column], mask, factor, random)
        grain = runs.runs[column].grain
        weight[:, column] += more * grain
        hits[:, column] += more
        added += float(more.sum()) * grain / work.unit.divisor[column] / n
    return replace(runs, weight=weight, hits=hits), added


def answered(runs: RunMatrix, n: int, *, paired: bool) -> Diff:
    return run_diff(
        runs, np.arange(n), np.arange(n, 2 * n), DiffOptions(paired=paired, functions=1)
    )


def gating(answer: Diff) -> float:
    return sum(claim.delta for claim in answer.claims if claim.gates)


Score = dict[str, list[bool]]


def trials(found: list[Group], n: int, asked: argparse.Namespace) -> None:
    """One line a kind, then all: what gates, and what is found."""
    total: Score = defaultdict(list)
    for name in KINDS:
        if asked.kinds not in name:
            continue
        random = np.random.default_rng([n, *name.encode()])
        score: Score = defaultdict(list)
        for number in range(asked.trials):
            _trial(found[number % len(found)], n, name, asked, random, score)
        _print(name, score)
        for key, hits in score.items():
            total[key] += hits
    print(f"n = {n}, all kinds, paired and not:")
    for key, hits in total.items():
        print(f"  {key}: {clopper_pearson(sum(hits), len(hits))}")


def _trial(group: Group, n: int, name: str, asked: argparse.Namespace,
           random: np.random.Generator, score: Score) -> None:  # fmt: skip
    make, where = KINDS[name]
    some = splits(len(group.runs.runs), n, random)
    base, new = some[int(random.integers(len(some)))]
    runs = group.some(base + new)
    function = int(random.choice(functions(runs, where)))
    code = Code(list(runs.frames))
    change = make(runs, code, function, random)
    cases = {"gates": (runs, 0.0)}
    if asked.growth:
        cases["grown"] = grown(group, runs, base + new, n, function, asked.growth, random)
    for case, (plain, added) in cases.items():
        other = applied(plain, list(range(n, 2 * n)), change, code, random)
        for paired in (False, True):
            for way, these in (("alone", plain), ("refactored", other)):
                answer = answered(these, n, paired=paired)
                delta = gating(answer)
                hit = 0.5 * added <= delta <= 2 * added if added else delta > 0
                score[f"{way}, {case}"].append(hit)
                if asked.verbose and way == "refactored" and hit != bool(added):
                    _say(group, f"{name}, {case}", code.frames[function].name, answer)


def _say(group: Group, what: str, function: str, answer: Diff) -> None:
    print(f"    {group.name}: {what}, {function}")
    for claim in (*answer.claims, *answer.shrunk):
        print(f"      {claim.delta:+.1f} {claim.base:.1f} {claim.label}", *claim.path[-4:])
    for move in answer.moves:
        print(f"      {move.label} {move.moved:.1f}", *move.source[-3:], "to", *move.path[-3:])


def _print(name: str, score: Score) -> None:
    counts = (f"{key} {sum(hits)}/{len(hits)}" for key, hits in score.items())
    print(f"  {name}: {'; '.join(counts)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--sizes", default="2")
    parser.add_argument("--trials", type=int, default=8, help="of each kind, paired and not")
    parser.add_argument("--kinds", default="", help="only those with this in their name")
    parser.add_argument("--growth", type=float, default=0.0, help="1.0: a path costs twice as much")
    parser.add_argument("--verbose", action="store_true", help="what gated, trial by trial")
    parser.add_argument("--comm", help="only the samples of these commands, a glob")
    asked = parser.parse_args()
    with DuckDbStore(asked.store) as store:
        found = groups(store, None, asked.comm)
    for n in map(int, asked.sizes.split(",")):
        trials([g for g in found if len(g.runs.runs) >= 2 * n], n, asked)


if __name__ == "__main__":
    main()
