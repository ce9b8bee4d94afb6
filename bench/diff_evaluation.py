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
"""

import argparse
import itertools
import json
import subprocess
import tempfile
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import special

from perfduck_diff import rates
from perfduck_diff.comparison import Comparison, Options, compare
from perfduck_diff.engine import diff
from perfduck_diff.noise import Noise, assumed, learn
from perfduck_diff.question import Filters, ask, chosen
from perfduck_diff.runs import Runs, gathered
from perfduck_diff.scan import Found, scan
from perfduck_diff.tree import Tree
from perfduck_store.store import Store

Floats = npt.NDArray[np.float64]
Masks = npt.NDArray[np.bool_]
BLOCKS = 10  # a second
SHARES = (0.003, 0.06)
GROWTHS = (0.3, 0.5, 1.0, 2.0)
SPLITS = 40  # at most, of one group


@dataclass(frozen=True)
class Group:
    """All runs of one scenario and workload, and their hits per stack, run and block of time."""

    name: str
    runs: Runs
    row: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    block: npt.NDArray[np.int64]
    hits: Floats
    noise: Noise | None = None  # learned from the other groups of the workload

    def some(self, columns: list[int]) -> Runs:
        """Only these runs, in this order."""
        return replace(
            self.runs,
            runs=tuple(self.runs.runs[column] for column in columns),
            weight=self.runs.weight[:, columns],
            hits=self.runs.hits[:, columns],
        )


def groups(store: Store, where: str | None, comm: str | None) -> list[Group]:
    """Every scenario and workload with more than one run."""
    rows = store.rows("select name, labels from profile order by name")
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, labels in rows:
        found[labels.get("workload", ""), labels.get("scenario", "")].append(name)
    return [
        _group(store, f"{scenario}.{workload}", chosen(store, "+".join(names), where), comm)
        for (workload, scenario), names in found.items()
        if len(names) > 1
    ]


def _group(store: Store, name: str, profiles: dict[int, str], comm: str | None) -> Group:
    runs = ask(store, [profiles], filters=Filters(comm=comm)).runs
    ids = list(profiles)
    frame = store.frame(
        f"""
        with begun as (
            select profile_id, min(time_ns) as first_ns from sample group by profile_id
        )
        select profile_id, stack_id, ((time_ns - first_ns) // {10**9 // BLOCKS})::bigint as block,
            sum(count)::double as hits
        from sample join begun using (profile_id) join stack_blame using (stack_id)
        where profile_id in (select unnest($p::bigint[])) and event = $e and context <> 'idle'
            and ($c is null or comm glob $c)
        group by all order by all
        """,
        {"p": ids, "e": runs.event, "c": comm},
    )
    stacks = frame.select("stack_id").unique().sort("stack_id").with_row_index("row")
    frame = frame.join(stacks, on="stack_id", how="left")
    column = frame["profile_id"].replace_strict({key: i for i, key in enumerate(ids)})
    return Group(
        name,
        runs,
        frame["row"].to_numpy().astype(np.int64),
        column.to_numpy().astype(np.int64),
        frame["block"].to_numpy(),
        frame["hits"].to_numpy(),
    )


def learned(found: list[Group]) -> list[Group]:
    """Each group with the noise of the others of its workload, never its own."""
    return [
        replace(
            group,
            noise=_noise([g for g in found if g is not group and _workload(g) == _workload(group)]),
        )
        for group in found
    ]


def _workload(group: Group) -> str:
    return group.name.rpartition(".")[2]


def _noise(others: list[Group]) -> Noise | None:
    noise: Noise | None = None
    for group in others:
        runs, unit = group.runs, rates.rates(group.runs)
        names, number = runs.classes(runs.stacks.rerooted(runs.entry()))
        by_class = gathered(number, len(names), runs.weight / unit.divisor)
        grain = np.array([run.grain for run in runs.runs]) / unit.divisor
        everything = tuple(sorted({*names, *(noise.subsystems if noise else ())}))
        prior = noise.over(everything) if noise else assumed(everything)
        rows = np.zeros((len(everything), by_class.shape[1]))
        rows[[everything.index(name) for name in names]] = by_class
        noise = learn(prior, [(rows, grain)])
    return noise


def splits(size: int, n: int, random: np.random.Generator) -> list[tuple[list[int], list[int]]]:
    """Disjoint sides of n runs each, both directions; all, or a sample of them."""
    found = [
        (list(base), list(new))
        for base in itertools.combinations(range(size), n)
        for new in itertools.combinations([i for i in range(size) if i not in base], n)
    ]
    if len(found) > SPLITS:
        found = [found[i] for i in random.choice(len(found), SPLITS, replace=False)]
    return found


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
                answer = diff(
                    runs, np.arange(n), np.arange(n, 2 * n), Options(tree=tree, noise=group.noise)
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


@dataclass(frozen=True)
class Trial:
    """One comparison with known growths."""

    group: Group
    runs: Runs
    n: int
    truth: list[tuple[int, Masks, Floats]]  # frame code of the node, its stacks, injected rate

    @property
    def injected(self) -> Floats:
        """Rate that was added, per stack."""
        return np.sum([rate for _, _, rate in self.truth], axis=0)


def inject(
    group: Group, n: int, nodes: int, random: np.random.Generator,
    shares: tuple[float, float] = SHARES, growths: tuple[float, ...] = GROWTHS,
) -> Trial:  # fmt: skip
    """Let some nodes of a random A/A comparison grow."""
    picked = random.permutation(len(group.runs.runs))[: 2 * n].tolist()
    runs = group.some(picked)
    work = compare(runs, np.arange(n), np.arange(n, 2 * n), Options())
    weight, hits = runs.weight.copy(), runs.hits.copy()
    truth = []
    for node in _nodes(work, nodes, shares, random):
        mask = work.tree.below(node)[work.tree.leaf]
        growth = float(random.choice(growths))
        added = np.zeros(runs.stacks.size)
        for column in range(n, 2 * n):
            more = _duplicated(group, picked[column], mask, growth, random)
            grain = runs.runs[column].grain
            weight[:, column] += more * grain
            hits[:, column] += more
            added += more * grain / work.unit.divisor[column] / n
        truth.append((work.tree.chain[node][-1], mask, added))
    return Trial(group, replace(runs, weight=weight, hits=hits), n, truth)


def _nodes(
    work: Comparison, count: int, shares: tuple[float, float], random: np.random.Generator
) -> list[int]:
    share = work.rows.rates.mean(axis=1) / work.rows.rates[0].mean()
    candidates = np.flatnonzero((share >= shares[0]) & (share <= shares[1]))
    found: list[int] = []
    for node in random.permutation(candidates).tolist():
        family = {node, *work.tree.ancestors(node)}
        if all(f not in family and node not in work.tree.ancestors(f) for f in found):
            found.append(node)
        if len(found) == count:
            break
    return found


def _duplicated(
    group: Group, column: int, mask: Masks, growth: float, random: np.random.Generator
) -> Floats:
    mine = (group.column == column) & mask[group.row]
    blocks = int(group.block.max()) + 1
    copies = np.floor(growth) + (random.random(blocks) < growth % 1)
    return np.bincount(
        group.row[mine], group.hits[mine] * copies[group.block[mine]], len(mask)
    )  # fmt: skip


def claims_of(trial: Trial) -> tuple[Comparison, list[tuple[Found, Masks]]]:
    """The claims of growth that stand, by size, with the stacks each explains."""
    n = trial.n
    work = compare(trial.runs, np.arange(n), np.arange(n, 2 * n), Options(noise=trial.group.noise))
    found = scan(work.tree, work.rows, work.screen, work.least)
    taken = [*found.grown, *found.shrunk]
    standing = sorted((f for f in found.grown if f.stands), key=lambda f: -f.delta)
    return work, [(claim, _stacks_of(work.tree, claim, taken)) for claim in standing]


def _stacks_of(tree: Tree, claim: Found, taken: list[Found]) -> Masks:
    mask = tree.below(claim.node)
    for other in taken:
        if other.node != claim.node and claim.node in tree.ancestors(other.node):
            mask &= ~tree.below(other.node)
    return mask[tree.leaf]


def jaccard(one: Masks, other: Masks, weight: Floats) -> float:
    both, either = weight[one & other].sum(), weight[one | other].sum()
    return float(both / either) if either else 0.0


def injected(found: list[Group], sizes: list[int], trials: int) -> None:
    """Precision, false share and sums of the engine; precision of other ways to rank."""
    for n in sizes:
        usable = [group for group in found if len(group.runs.runs) >= 2 * n]
        if not usable:
            continue
        random = np.random.default_rng(n)
        score: dict[str, list[float]] = defaultdict(list)
        for number in range(trials):
            trial = inject(usable[number % len(usable)], n, 5, random)
            _score_engine(trial, score)
            _score_peers(trial, score)
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
        ratio = [s / t for s, t in zip(score["sum"], score["true"], strict=True)]
        print(f"  claims / true growth: all {sum(score['sum']) / sum(score['true']):.3f}, median"
              f" trial {np.median(ratio):.3f}; detectable growth covered"
              f" {sum(score['sum']) / sum(score['able ns']):.3f}")  # fmt: skip
        print(f"  right claims / their injected growth: median {np.median(score['size']):.3f}")
        for peer in PEERS:
            print(f"  precision at 5, {peer}: {np.mean(score[peer]):.2f}")


def _score_engine(trial: Trial, score: dict[str, list[float]]) -> None:
    work, claims = claims_of(trial)
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
    able = [_detectable(trial, mask, rate) for _, mask, rate in trial.truth]
    score["able"].append(sum(able))
    score["able ns"].append(
        float(sum(r.sum() for (_, _, r), a in zip(trial.truth, able, strict=True) if a))
    )
    score["found able"].append(sum(able[i] for i in matched))


def _detectable(trial: Trial, mask: Masks, added: Floats) -> bool:
    """Whether sampling noise alone would let it be seen: alpha .001, power 80 %."""
    n = trial.n
    base = trial.runs.hits[mask][:, :n].sum()
    new = trial.runs.hits[mask][:, n:].sum()
    return bool(base and new / base - 1 >= poisson_limit(base))


def poisson_limit(samples: float) -> float:
    """Smallest relative growth that pure counting finds in so many samples a side."""
    return float(3.93 * np.sqrt(2 / max(samples, 1e-9)))


PEERS = (
    "inclusive path, absolute (subtraction)",
    "inclusive path, share",
    "self path, absolute (difffolded)",
    "self function, share (perf diff -c delta-abs)",
    "inclusive function, share (pprof -cum)",
)


def _score_peers(trial: Trial, score: dict[str, list[float]]) -> None:
    n = trial.n
    work = compare(trial.runs, np.arange(n), np.arange(n, 2 * n), Options())
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


def _inclusive_by_function(runs: Runs, share: Floats) -> Floats:
    total = np.zeros((len(runs.frames), share.shape[1]))
    for row in range(runs.stacks.size):
        total[np.unique(runs.stacks.chain(row))] += share[row]
    return total


def _delta(rates: Floats, n: int) -> Floats:
    return np.asarray(rates[:, n:].mean(axis=1) - rates[:, :n].mean(axis=1))


def _functions(change: Floats, truth: set[int]) -> float:
    top = np.argsort(-change, kind="stable")[:5]
    return float(np.mean([code in truth for code in top.tolist()]))


def limits(found: list[Group], sizes: list[int], trials: int) -> None:
    """The growth that is found in 80 % of the trials, by the node's share."""
    steps = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 2.0, 3.0)
    for n, (low, high) in itertools.product(sizes, ((0.003, 0.006), (0.015, 0.03), (0.08, 0.16))):
        usable = [group for group in found if len(group.runs.runs) >= 2 * n]
        if not usable:
            continue
        random = np.random.default_rng(n)
        rates, counts = [], []
        for step in steps:
            hits = 0
            for number in range(trials):
                trial = inject(usable[number % len(usable)], n, 1, random, (low, high), (step,))
                if not trial.truth:
                    continue
                work, claims = claims_of(trial)
                _, mask, _ = trial.truth[0]
                weight = work.rate.mean(axis=1)
                hits += any(jaccard(claimed, mask, weight) >= 0.5 for _, claimed in claims)
                counts.append(trial.runs.hits[mask][:, :n].sum())
            rates.append(hits / trials)
        smallest = (
            np.interp(0.8, np.maximum.accumulate(rates), steps) if max(rates) >= 0.8 else np.nan
        )
        physical = poisson_limit(float(np.mean(counts)))
        print(f"n = {n}, share {low:.1%}..{high:.1%}: 80 % found at +{smallest:.0%},"
              f" Poisson limit +{physical:.0%}, efficiency {physical / smallest:.2f}"
              f"  {dict(zip(steps, rates, strict=True))}")  # fmt: skip


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
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.sizes.split(",")]
    with Store(asked.store) as store:
        found = groups(store, asked.where, asked.comm)
    found = learned(found) if asked.learned else found
    print(f"{len(found)} groups of {min(len(g.runs.runs) for g in found)} runs and more")
    if asked.what == "aa":
        false_alarms(found, sizes, asked.tree)
    elif asked.what == "injected":
        injected(found, sizes, asked.trials)
    elif asked.what == "limit":
        limits(found, sizes, asked.trials)
    else:
        stackgate(found, asked.stackgate, asked.trials, sizes[0])


if __name__ == "__main__":
    pl.Config.set_tbl_rows(20)
    main()
