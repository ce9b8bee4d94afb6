"""Are verdicts to be trusted? Regression, pass and inconclusive on real like runs, with growth.

    python bench/diff_verdicts.py STORE aa             like runs: claims, regressions, passes
    python bench/diff_verdicts.py STORE growth         everything costs 1.1, 1.2, 1.5 times as much
    python bench/diff_verdicts.py STORE path           one path costs half as much again
    python bench/diff_verdicts.py STORE one            one run a side, noise learned from the others

Everything: every weight of the new side times a factor, so the noise is that of the runs. An
oracle that knows the true spread (of all runs of the group, or of all neighbouring pairs) tests
the same totals at the same level by the normal distribution. `--like` gives the engine what `diff`
takes from other recordings of the store: the spread of the other groups, never the runs' own.
`--common S` multiplies each run by a factor of its own, lognormal with spread S.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from diff_evaluation import clopper_pearson, detectable
from diff_trials import Group, claims_of, groups, in_turns, inject, jaccard, learned, splits
from scipy import special

from perfduck_diff.engine import rates
from perfduck_diff.engine.comparison import DiffOptions
from perfduck_diff.engine.result import Diff
from perfduck_diff.engine.run_diff import TOTAL_LEVEL, run_diff
from perfduck_diff.engine.run_matrix import RunMatrix
from perfduck_diff.like_runs import OTHER, SAME_WORKLOAD, pooled
from perfduck_model.arrays import Float64
from perfduck_store.duckdb.store import DuckDbStore

FACTORS = (1.1, 1.2, 1.5)
TOLERANCES = (0.05, 0.1, 0.2)
Sides = tuple[list[int], list[int]]


@dataclass(frozen=True)
class Asked:
    """How to compare."""

    trials: int  # of a group
    tree: str
    paired: bool
    like: bool


def totals(group: Group) -> Float64:
    return np.asarray(group.runs.weight.sum(axis=0) / rates.rates(group.runs).divisor)


def spread(group: Group) -> float:
    """True relative spread of the totals of like runs."""
    total = totals(group)
    return float(total.std(ddof=1) / total.mean())


def like(group: Group, found: list[Group]) -> tuple[float, float]:
    """What the other groups say of whole runs, as `diff` has it from a store."""
    workload = group.name.rpartition(".")[2]
    return pooled(
        [
            (
                np.array([totals(other), other.runs.hits.sum(axis=0)]).T,
                SAME_WORKLOAD if other.name.rpartition(".")[2] == workload else OTHER,
            )
            for other in found
            if other is not group
        ]
    )


def with_common(group: Group, spread: float, random: np.random.Generator) -> Group:
    """Each run as expensive as a machine in another state: everything times a factor of its own."""
    factor = np.exp(random.normal(0, spread, len(group.runs.runs)))
    runs = tuple(
        replace(run, work=(run.work or 1) / by)
        for run, by in zip(group.runs.runs, factor, strict=True)
    )
    return replace(group, runs=replace(group.runs, runs=runs))


def sides(group: Group, n: int, asked: Asked, random: np.random.Generator) -> list[Sides]:
    """Random like sides; in pairs: neighbours in time, either of which may be new."""
    size = len(group.runs.runs)
    if not asked.paired:
        every = splits(size, n, random)
        return [every[i] for i in random.permutation(len(every))[: asked.trials]]
    return [in_turns(size, n, random) for _ in range(asked.trials)]


def costlier(runs: RunMatrix, n: int, factor: float) -> RunMatrix:
    """Everything in the new side costs FACTOR times as much."""
    by = np.r_[np.ones(n), np.full(n, factor)]
    return replace(runs, weight=runs.weight * by, hits=runs.hits * by)


def judged(group: Group, split: Sides, factor: float, asked: Asked, **options: object) -> Diff:
    n = len(split[0])
    made = DiffOptions(tree=asked.tree, paired=asked.paired, **options)  # type: ignore[arg-type]
    runs = costlier(group.some(split[0] + split[1]), n, factor)
    return run_diff(runs, np.arange(n), np.arange(n, 2 * n), made)


def usable(found: list[Group], n: int) -> list[Group]:
    return [group for group in found if len(group.runs.runs) >= 2 * n]


def false_alarms(found: list[Group], sizes: list[int], asked: Asked) -> None:
    """Nothing grew."""
    random = np.random.default_rng(11)
    for n in sizes:
        said = []
        for group in usable(found, n):
            known = like(group, found) if asked.like else (0.0, 0.0)
            for split in sides(group, n, asked, random):
                answer = judged(group, split, 1.0, asked, like=known)
                excluded = answer.sensitivity.excluded if answer.sensitivity else 1.0
                said.append(
                    (
                        bool(answer.claims),
                        answer.verdict == "regression",
                        answer.verdict == "pass",
                        excluded,
                    )
                )
        if not said:
            continue
        claims, regressions, passes, excluded = zip(*said, strict=True)
        print(
            f"n = {n}, {asked.tree}: claims {_part(claims)}; regressions {_part(regressions)};"
            f" pass {_part(passes)}; excluded, median +{np.median(excluded):.1%}"
        )


def growth(found: list[Group], sizes: list[int], asked: Asked) -> None:
    """Everything grew: against the oracle, and how often a pass says it did not."""
    print("spread: " + ", ".join(f"{group.name} {spread(group):.1%}" for group in found))
    random = np.random.default_rng(12)
    for n in sizes:
        for factor in FACTORS:
            hits, known, wrong, made, wide = [], [], [], [], []
            for group in usable(found, n):
                options = like(group, found) if asked.like else (0.0, 0.0)
                true = _true_spread(group, paired=asked.paired)
                for split in sides(group, n, asked, random):
                    answer = judged(group, split, factor, asked, like=options)
                    hits.append(answer.verdict == "regression")
                    known.append(_oracle(group, split, factor, true, paired=asked.paired))
                    excluded = answer.sensitivity.excluded if answer.sensitivity else 1.0
                    wrong.append(
                        [
                            factor - 1 > t + 1e-9 and hits[-1] is False and excluded < t
                            for t in TOLERANCES
                        ]
                    )
                    made.append(answer.total.delta)
                    wide.append(
                        ((answer.total.high or 0) - (answer.total.low or 0)) / answer.total.base
                    )
            if hits:
                over = sum(hits) / max(sum(known), 1)
                passed = ", ".join(
                    f"{t:.0%} {sum(row[i] for row in wrong)}/{len(wrong)}"
                    for i, t in enumerate(TOLERANCES)
                    if factor - 1 > t + 1e-9
                )
                print(
                    f"n = {n}, x {factor}: regressions {_part(hits)}, oracle {_part(known)},"
                    f" ratio {over:.2f}; wrongly passed at tolerance {passed or '-'};"
                    f" width of the interval {np.median(wide):.1%}"
                )


def _true_spread(group: Group, *, paired: bool) -> float:
    """Standard deviation of a log ratio of two like runs, or of neighbours."""
    logs = np.log(totals(group))
    if not paired:
        return float(logs.std(ddof=1) * np.sqrt(2))
    pairs = logs[: len(logs) // 2 * 2].reshape(-1, 2)
    return float(np.sqrt((np.diff(pairs, axis=1) ** 2).mean()))


def _oracle(group: Group, split: Sides, factor: float, true: float, *, paired: bool) -> bool:
    logs, n = np.log(totals(group)), len(split[0])
    if paired:
        delta = float((logs[split[1]] - logs[split[0]]).mean())
    else:
        total = totals(group)
        delta = float(np.log(total[split[1]].mean() / total[split[0]].mean()))
    cut = special.ndtri(1 - TOTAL_LEVEL) * true / np.sqrt(n)
    return bool(delta + np.log(factor) > cut)


def one_path(found: list[Group], sizes: list[int], asked: Asked, share: float) -> None:
    """One path of 2 % or more costs half as much again."""
    for n in sizes:
        random = np.random.default_rng(13)
        hits, places, able = [], [], []
        for number in range(asked.trials * len(usable(found, n))):
            group = usable(found, n)[number % len(usable(found, n))]
            trial = inject(group, n, 1, random, (share, 0.2), (0.5,))
            if not trial.truth:
                continue
            work, claims, _ = claims_of(trial)
            _, mask, _ = trial.truth[0]
            weight = work.rate.mean(axis=1)
            places.append(any(jaccard(m, mask, weight) >= 0.5 for _, m in claims))
            hits.append(bool(claims))
            able += detectable(trial, runs=True)
        if hits:
            print(
                f"n = {n}: found in place {_part(places)}, any claim {_part(hits)}; within reach of"
                f" an oracle that knows the true spread (alpha .001, power 80 %) {_part(able)}"
            )


def unreplicated(found: list[Group], asked: Asked) -> None:
    """One run a side, with noise learned from the other groups of the workload."""
    random = np.random.default_rng(14)
    for factor in (1.0, 1.2, 1.5):
        said = []
        for group in learned(found):
            if group.noise is None:
                continue
            for split in sides(group, 1, asked, random):
                answer = judged(group, split, factor, asked, noise=group.noise)
                said.append((answer.verdict == "regression", bool(answer.claims)))
        regressions, claims = zip(*said, strict=True)
        print(f"n = 1, x {factor}: regressions {_part(regressions)}; claims {_part(claims)}")


def _part(said: object) -> str:
    each = list(said)  # type: ignore[call-overload]
    return clopper_pearson(int(sum(each)), len(each))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("what", choices=["aa", "growth", "path", "one"])
    parser.add_argument("--where")
    parser.add_argument("--comm")
    parser.add_argument("--trials", type=int, default=20, help="comparisons of a group")
    parser.add_argument("--sizes", default="2,3,5")
    parser.add_argument("--tree", default="rerooted")
    parser.add_argument("--paired", action="store_true")
    parser.add_argument("--like", action="store_true")
    parser.add_argument("--common", type=float, default=0.0)
    parser.add_argument("--share", type=float, default=0.02)
    given = parser.parse_args()
    sizes = [int(size) for size in given.sizes.split(",")]
    with DuckDbStore(given.store) as store:
        found = groups(store, given.where, given.comm)
    if given.common:
        random = np.random.default_rng(15)
        found = [with_common(group, given.common, random) for group in found]
    asked = Asked(given.trials, given.tree, given.paired, given.like)
    print(f"{len(found)} groups of {min(len(g.runs.runs) for g in found)} runs and more")
    if given.what == "aa":
        false_alarms(found, sizes, asked)
    elif given.what == "growth":
        growth(found, sizes, asked)
    elif given.what == "path":
        one_path(found, sizes, asked, given.share)
    else:
        unreplicated(found, asked)


if __name__ == "__main__":
    main()
