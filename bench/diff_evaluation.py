"""Does the diff engine tell the truth? Measured on real recordings, not on simulated noise.

    perfduck ingest --manifest recordings.csv --kallsyms kallsyms.gz --store runs.duckdb
    python bench/diff_evaluation.py runs.duckdb aa         A/A: any claim is a false alarm
    python bench/diff_evaluation.py runs.duckdb injected   known growths; peers on the same
    python bench/diff_evaluation.py runs.duckdb limit      smallest growth that is found, by size
    python bench/diff_evaluation.py runs.duckdb stackgate --stackgate PATH   the real StackGate

Runs of one scenario and workload are A/A. Growth is injected into the new side only, by duplicating
the samples of a subtree in randomly chosen blocks of 100 ms, so that it comes with the noise that
the runs really have. A claim is right if the stacks it names are those of an injected
node (Jaccard >= 0.8 by weight), false if less than half of its delta was injected.

No test can claim all growth. `injected` says what part of it is above two limits: that of counting
so many samples (Poisson), and that of counting them in runs that differ as these do.
"""

import argparse
import itertools
from collections import defaultdict
from pathlib import Path

import numpy as np
from diff_peers import PEERS, score_peers, stackgate
from diff_trials import Claims, Group, Trial, claims_of, groups, inject, jaccard, learned, splits
from scipy import special

from perfduck_diff.engine.comparison import DiffOptions
from perfduck_diff.engine.rates import rates
from perfduck_diff.engine.run_diff import run_diff
from perfduck_model.arrays import Bool
from perfduck_store.duckdb.store import DuckDbStore


def clopper_pearson(hits: int, trials: int) -> str:
    low = special.betaincinv(hits, trials - hits + 1, 0.025) if hits else 0.0
    high = special.betaincinv(hits + 1, trials - hits, 0.975) if hits < trials else 1.0
    return f"{hits}/{trials} = {hits / trials:.1%} [{low:.1%}, {high:.1%}]"


def false_alarms(found: list[Group], sizes: list[int], tree: str) -> None:
    """Every split of every group."""
    print(f"A/A, tree {tree}: claims of growth, claims of any kind, verdict regression")
    random = np.random.default_rng(1)
    for n in sizes:
        counts, trials = np.zeros(3, dtype=int), 0
        for group in found:
            for base, new in splits(len(group.runs.runs), n, random):
                runs = group.some(base + new)
                answer = run_diff(
                    runs,
                    np.arange(n),
                    np.arange(n, 2 * n),
                    DiffOptions(tree=tree, noise=group.noise),
                )
                kinds = (
                    answer.claims,
                    answer.claims + answer.shrunk,
                    answer.verdict == "regression",
                )
                counts += [bool(kind) for kind in kinds]
                trials += 1
        if trials:
            print(f"  n = {n}: " + "; ".join(clopper_pearson(int(c), trials) for c in counts))


def injected(found: list[Group], sizes: list[int], trials: int, *, neighbours: bool) -> None:
    """Precision, false share and sums of the engine; precision of other ways to rank."""
    for n in sizes:
        usable = [group for group in found if len(group.runs.runs) >= 2 * n]
        if not usable:
            continue
        random = np.random.default_rng(n)
        score: dict[str, list[float]] = defaultdict(list)
        for number in range(trials):
            trial = inject(usable[number % len(usable)], n, 5, random, neighbours=neighbours)
            _score_engine(trial, score)
            score_peers(trial, score)
        print(f"n = {n}, {trials} trials, 5 growths of +30..200 % on nodes of 0.3..6 %")
        made, false = sum(score["claims"]), sum(score["false"])
        print(
            f"  claims {made / trials:.2f} a trial, false {clopper_pearson(int(false), int(made))}"
        )
        print(
            f"  false part of the claimed growth {sum(score['false ns']) / sum(score['sum']):.1%}"
        )
        listed = sum(score["listed"])
        for rule, need in (("exact >= .8", "right"), ("caller or callee >= .5", "near")):
            print(f"  precision at 5, {rule}: {sum(score[need]) / listed:.2f}")
        print(f"  growths found {sum(score['found']) / (5 * trials):.2f}, of those above the"
              f" Poisson limit {sum(score['found able']) / sum(score['able']):.2f}")  # fmt: skip
        true = sum(score["true"])
        print(f"  claims / true growth: all {sum(score['sum']) / true:.3f}"
              + "".join(f", {limit} {sum(score[f'claimed {limit}']) / sum(score[limit]):.3f}"
                        for limit in LIMITS))  # fmt: skip
        print("  growth that is in no claim: "
              + ", ".join(f"{why} {sum(score[why]) / true:.3f}" for why in MISSING))  # fmt: skip
        print(f"  right claims / their injected growth: median {np.median(score['size']):.3f}")
        for peer in PEERS:
            print(f"  precision at 5, {peer}: {np.mean(score[peer]):.2f}")


LIMITS = ("above the Poisson limit", "above the limit of samples and runs")
MISSING = (
    "below the Poisson limit",
    "below the limit of samples and runs",
    "in claims below the threshold",
    "above both limits",
)


def _score_engine(trial: Trial, score: dict[str, list[float]]) -> None:
    work, claims, below = claims_of(trial)
    weight = work.rate.mean(axis=1)
    added = trial.injected
    matched: set[int] = set()
    for position, (claim, mask) in enumerate(claims):
        likeness = [jaccard(mask, m, weight) for _, m, _ in trial.truth]
        best = int(np.argmax(likeness))
        if likeness[best] >= 0.8:
            matched.add(best)
            score["size"].append(claim.delta / trial.truth[best][2].sum())
        is_false = added[mask].sum() < 0.5 * claim.delta
        score["false"].append(is_false)
        score["false ns"].append(claim.delta if is_false else 0.0)
        if position < 5:
            score["right"].append(likeness[best] >= 0.8)
            score["near"].append(likeness[best] >= 0.5)
    score["listed"].append(min(len(claims), 5))
    score["claims"].append(len(claims))
    score["found"].append(len(matched))
    score["sum"].append(sum(claim.delta for claim, _ in claims))
    score["true"].append(float(added.sum()))
    able = detectable(trial, runs=False)
    score["able"].append(sum(able))
    score["found able"].append(sum(able[i] for i in matched))
    _score_growth(trial, claims, below, score)


def _score_growth(
    trial: Trial, claims: Claims, below: Claims, score: dict[str, list[float]]
) -> None:
    """How much of the growth above each limit is claimed, and why the rest is not."""
    able = [detectable(trial, runs=runs) for runs in (False, True)]
    for limit, seen in zip(LIMITS, able, strict=True):
        above = [rate for (_, _, rate), yes in zip(trial.truth, seen, strict=True) if yes]
        part = np.sum(above, axis=0) if above else np.zeros_like(trial.injected)
        score[limit].append(float(part.sum()))
        score[f"claimed {limit}"].append(
            sum(claim.delta * part[mask].sum() / max(trial.injected[mask].sum(), 1e-300)
                for claim, mask in claims)
        )  # fmt: skip
    standing, listed = (np.any([m for _, m in found], axis=0) if found else np.False_
                        for found in (claims, below))  # fmt: skip
    for (_, _, rate), poisson, both in zip(trial.truth, *able, strict=True):
        left = rate * ~standing
        thrown = float((left * listed).sum())
        why = MISSING[2:] if both else (MISSING[int(poisson)],) * 2
        score[why[0]].append(thrown)
        score[why[1]].append(float(left.sum()) - thrown)


def detectable(trial: Trial, *, runs: bool) -> list[bool]:
    """Which growths samples would show (alpha .001, power 80 %), if like runs did not differ;
    with `runs`, if one knew how far they do: from all runs of the group."""
    found = []
    for _, mask, _ in trial.truth:
        hits = trial.runs.hits[mask]
        base, new = hits[:, : trial.n].sum(), hits[:, trial.n :].sum()
        spread = _spread(trial, mask) if runs else 0.0
        found.append(bool(base and new / base - 1 >= _limit(base, spread, trial.n)))
    return found


def _spread(trial: Trial, mask: Bool) -> float:
    """Relative standard deviation of a node's cost between runs, without that of sampling."""
    runs = trial.group.runs
    rate = runs.weight[mask].sum(axis=0) / rates(runs).divisor
    square = rate.var(ddof=1) / rate.mean() ** 2 - 1 / runs.hits[mask].sum(axis=0).mean()
    return float(np.sqrt(max(square, 0.0)))


def _limit(samples: float, spread: float = 0.0, n: int = 1) -> float:
    """Smallest relative growth to be found in so many samples a side, in n runs that differ so."""
    return float(3.93 * np.sqrt(2 / max(samples, 1e-9) + 2 * spread**2 / n))


def limits(found: list[Group], sizes: list[int], trials: int) -> None:
    """The growth that is found in 80 % of the trials, by the node's share."""
    steps = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 2.0, 3.0)
    for n, (low, high) in itertools.product(sizes, ((0.003, 0.006), (0.015, 0.03), (0.08, 0.16))):
        usable = [group for group in found if len(group.runs.runs) >= 2 * n]
        if not usable:
            continue
        random = np.random.default_rng(n)
        rates, counts, spreads = [], [], []
        for step in steps:
            hits = 0
            for number in range(trials):
                trial = inject(usable[number % len(usable)], n, 1, random, (low, high), (step,))
                if not trial.truth:
                    continue
                work, claims, _ = claims_of(trial)
                _, mask, _ = trial.truth[0]
                weight = work.rate.mean(axis=1)
                hits += any(jaccard(claimed, mask, weight) >= 0.5 for _, claimed in claims)
                counts.append(trial.runs.hits[mask][:, :n].sum())
                spreads.append(_spread(trial, mask))
            rates.append(hits / trials)
        smallest = (
            np.interp(0.8, np.maximum.accumulate(rates), steps) if max(rates) >= 0.8 else np.nan
        )
        physical = _limit(float(np.mean(counts)))
        oracle = float(np.median([_limit(c, s, n) for c, s in zip(counts, spreads, strict=True)]))
        print(f"n = {n}, share {low:.1%}..{high:.1%}: 80 % found at +{smallest:.0%},"
              f" Poisson limit +{physical:.0%}, efficiency {physical / smallest:.2f};"
              f" an oracle that knows the true spread +{oracle:.0%}, ratio {smallest / oracle:.2f}"
              f"  {dict(zip(steps, rates, strict=True))}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("what", choices=["aa", "injected", "limit", "stackgate"])
    parser.add_argument("--where")
    parser.add_argument("--comm", help="on a busy machine: the load generator alone")
    parser.add_argument("--trials", type=int, default=140)
    parser.add_argument("--sizes", default="2,3,5")
    parser.add_argument("--tree", default="rerooted")
    parser.add_argument("--stackgate", default="stackgate")
    parser.add_argument("--learned", action="store_true", help="use noise of the other groups")
    parser.add_argument("--neighbours", action="store_true", help="sides recorded in turns")
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.sizes.split(",")]
    with DuckDbStore(asked.store) as store:
        found = groups(store, asked.where, asked.comm)
    found = learned(found) if asked.learned else found
    print(f"{len(found)} groups of {min(len(g.runs.runs) for g in found)} runs and more")
    if asked.what == "aa":
        false_alarms(found, sizes, asked.tree)
    elif asked.what == "injected":
        injected(found, sizes, asked.trials, neighbours=asked.neighbours)
    elif asked.what == "limit":
        limits(found, sizes, asked.trials)
    else:
        stackgate(found, asked.stackgate, asked.trials, sizes[0])


if __name__ == "__main__":
    main()
