"""What others make of the same trials: their rankings on our matrices, and the real StackGate."""

import json
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from diff_trials import Group, Trial, inject, jaccard

from perfduck_diff.engine.comparison import DiffOptions, measure
from perfduck_diff.engine.run_matrix import RunMatrix
from perfduck_model.arrays import Float64

PEERS = (
    "inclusive path, absolute (subtraction)",
    "inclusive path, share",
    "self path, absolute (difffolded)",
    "self function, share (perf diff -c delta-abs)",
    "inclusive function, share (pprof -cum)",
)


def score_peers(trial: Trial, score: dict[str, list[float]]) -> None:
    n = trial.n
    work = measure(trial.runs, np.arange(n), np.arange(n, 2 * n), DiffOptions())
    weight = work.rate.mean(axis=1)
    share = trial.runs.weight / trial.runs.weight.sum(axis=0)
    paths = [_delta(work.rows.rates, n), _delta(work.tree.inclusive(share), n)]
    for peer, change in zip(PEERS, paths, strict=False):
        top = np.argsort(-change, kind="stable")[:5]
        masks = [work.tree.below(int(node))[work.tree.leaf] for node in top]
        score[peer].append(
            np.mean([any(jaccard(m, t, weight) >= 0.8 for _, t, _ in trial.truth) for m in masks])
        )
    own = work.tree.own(work.rate)
    names = [
        work.tree.chain[v][-1] if v else -1 for v in np.argsort(-_delta(own, n), kind="stable")[:5]
    ]
    truth = {code for code, _, _ in trial.truth}
    score[PEERS[2]].append(np.mean([name in truth for name in names]))
    leaf = trial.runs.stacks.ends(leaf=True)
    flat = np.zeros((len(trial.runs.frames), share.shape[1]))
    np.add.at(flat, leaf, share)
    score[PEERS[3]].append(_functions(np.abs(_delta(flat, n)), truth))
    score[PEERS[4]].append(_functions(_delta(_inclusive_by_function(trial.runs, share), n), truth))


def _inclusive_by_function(runs: RunMatrix, share: Float64) -> Float64:
    total = np.zeros((len(runs.frames), share.shape[1]))
    for row in range(runs.stacks.size):
        total[np.unique(runs.stacks.chain(row))] += share[row]
    return total


def _delta(rates: Float64, n: int) -> Float64:
    return np.asarray(rates[:, n:].mean(axis=1) - rates[:, :n].mean(axis=1))


def _functions(change: Float64, truth: set[int]) -> float:
    top = np.argsort(-change, kind="stable")[:5]
    return float(np.mean([code in truth for code in top.tolist()]))


def stackgate(found: list[Group], program: str, trials: int, n: int) -> None:
    """The real StackGate on the same trials, written as folded stacks; samples per work."""
    usable = [group for group in found if len(group.runs.runs) >= 2 * n]
    random = np.random.default_rng(n)
    right: dict[str, list[float]] = defaultdict(list)
    for number in range(trials):
        trial = inject(usable[number % len(usable)], n, 5, random)
        truth = {trial.runs.frames[code].name for code, _, _ in trial.truth}
        with tempfile.TemporaryDirectory() as folder:
            _write_folded(trial, Path(folder))
            for metric in ("self", "inclusive"):
                flagged = _flagged(program, Path(folder), metric)[:5]
                right[metric].append(
                    np.mean([name in truth for name in flagged]) if flagged else 0.0
                )
                right[f"{metric} flagged"].append(len(flagged))
    for key, values in right.items():
        print(f"n = {n}, StackGate, {key}: {np.mean(values):.2f} ({trials} trials)")


def _write_folded(trial: Trial, folder: Path) -> None:
    names = np.array(
        [frame.name.replace(";", ":").replace(" ", "_") for frame in trial.runs.frames]
    )
    work = np.array([run.work for run in trial.runs.runs])
    scaled = trial.runs.hits / work * work.mean()  # so that its milliseconds are per work
    folded = [
        ";".join(names[trial.runs.stacks.chain(row)]) for row in range(trial.runs.stacks.size)
    ]
    for column in range(scaled.shape[1]):
        side = folder / ("base" if column < trial.n else "new")
        side.mkdir(exist_ok=True)
        lines = [
            f"{s} {round(h)}" for s, h in zip(folded, scaled[:, column], strict=True) if round(h)
        ]
        (side / f"run{column}.folded").write_text("\n".join(lines) + "\n")


def _flagged(program: str, folder: Path, metric: str) -> list[str]:
    command = [program, "compare", str(folder / "base"), str(folder / "new"), "--metric", metric,
               "--format", "json", "--no-fail", "--permutations", "1000"]  # fmt: skip
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return [str(row.get("function") or row.get("name")) for row in answer["regressed_functions"]]
