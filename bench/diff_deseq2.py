"""The same trials to DESeq2, by pydeseq2: `pip install pydeseq2`, then

    python bench/diff_deseq2.py STORE [--comm GLOB] [--sizes 3,5] [--trials 20]

Genes are functions by self hits (ten or more in all runs), libraries are runs, and the size factors
are DESeq2's own: it sees shares, like every tool for sequencing, and no work. In A/A any gene with
padj <= .05 that grew is false; with five injected growths (diff_trials.py) a function is right if
half of its growth or more was injected. perfduck is scored on its claims in the same way.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from diff_evaluation import clopper_pearson
from diff_trials import Group, Trial, claims_of, groups, inject
from pydeseq2.dds import DeseqDataSet
from pydeseq2.default_inference import DefaultInference
from pydeseq2.ds import DeseqStats

from perfduck_diff.engine.run_matrix import RunMatrix, gathered
from perfduck_model.arrays import Float64
from perfduck_store.duckdb.store import DuckDbStore

LEVEL = 0.05
LEAST = 10


def self_hits(runs: RunMatrix, hits: Float64) -> Float64:
    leaf = np.maximum(runs.stacks.ends(leaf=True), 0)
    return gathered(leaf, len(runs.frames), hits)


def grown(runs: RunMatrix, n: int) -> list[int]:
    """Frame codes that DESeq2 says grew."""
    counts = self_hits(runs, runs.hits).round().astype(int)
    kept = np.flatnonzero(counts.sum(axis=1) >= LEAST)
    names = [f"r{run}" for run in range(2 * n)]
    frame = pd.DataFrame(counts[kept].T, index=names, columns=kept.astype(str))
    sides = pd.DataFrame({"side": ["base"] * n + ["new"] * n}, index=names)
    inference = DefaultInference(n_cpus=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = DeseqDataSet(
            counts=frame, metadata=sides, design="~side", quiet=True, inference=inference
        )
        data.deseq2()
        found = DeseqStats(data, contrast=["side", "new", "base"], quiet=True, inference=inference)
        found.summary()
    table = found.results_df
    rows = (table["padj"] <= LEVEL) & (table["log2FoldChange"] > 0)
    return [int(name) for name in table.index[rows]]


def right(trial: Trial, codes: list[int]) -> list[bool]:
    """Whether at least half of what a function grew by was injected."""
    n = trial.n
    work = np.array([run.work or 1 for run in trial.runs.runs])
    grain = np.array([run.grain for run in trial.runs.runs])
    rate = self_hits(trial.runs, trial.runs.hits) * grain / work
    delta = rate[:, n:].mean(axis=1) - rate[:, :n].mean(axis=1)
    added = self_hits(trial.runs, trial.injected[:, None])[:, 0]
    return [bool(added[code] >= 0.5 * delta[code]) for code in codes]


def compared(found: list[Group], n: int, trials: int) -> None:
    usable = [group for group in found if len(group.runs.runs) >= 2 * n]
    random = np.random.default_rng(n)
    alarms, said, correct, ours, ours_right = [], 0, 0, 0, 0
    for number in range(trials):
        group = usable[number % len(usable)]
        picked = random.permutation(len(group.runs.runs))[: 2 * n].tolist()
        alarms.append(bool(grown(group.some(picked), n)))
        trial = inject(group, n, 5, random)
        codes = grown(trial.runs, n)
        said, correct = said + len(codes), correct + sum(right(trial, codes))
        _, claims, _ = claims_of(trial)
        ours += len(claims)
        added = trial.injected
        ours_right += sum(added[mask].sum() >= 0.5 * claim.delta for claim, mask in claims)
    print(f"n = {n}: DESeq2, like runs, any function: {clopper_pearson(sum(alarms), len(alarms))}")
    print(f"  five growths: {said / trials:.1f} functions a trial, right"
          f" {clopper_pearson(correct, max(said, 1))}; perfduck {ours / trials:.1f} claims, right"
          f" {clopper_pearson(int(ours_right), max(ours, 1))}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--comm")
    parser.add_argument("--sizes", default="3,5")
    parser.add_argument("--trials", type=int, default=20)
    asked = parser.parse_args()
    with DuckDbStore(asked.store) as store:
        found = groups(store, None, asked.comm)
    for size in asked.sizes.split(","):
        compared(found, int(size), asked.trials)


if __name__ == "__main__":
    main()
