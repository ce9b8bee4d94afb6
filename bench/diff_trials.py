"""Comparisons whose answer is known: real runs of the same thing, and growth injected into some.

Growth is injected into the new side only, by duplicating the samples of a subtree in randomly
chosen blocks of 100 ms, so that it comes with the noise that the runs really have.
"""

import itertools
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from perfduck_diff.comparison_input import load_input
from perfduck_diff.engine.comparison import Comparison, DiffOptions, measure
from perfduck_diff.engine.noise import Noise, assumed, learn
from perfduck_diff.engine.rates import NoiseClasses, StackRates
from perfduck_diff.engine.run_matrix import RunMatrix
from perfduck_diff.engine.scan import NodeChange, scan
from perfduck_diff.engine.tree import Tree
from perfduck_diff.filters import Filters
from perfduck_diff.history import factors
from perfduck_diff.like_runs import SAME, pooled
from perfduck_model.arrays import Bool, Float64
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.selector import select

BLOCKS = 10  # a second
SHARES = (0.003, 0.06)
GROWTHS = (0.3, 0.5, 1.0, 2.0)
SPLITS = 40  # at most, of one group


@dataclass(frozen=True)
class Group:
    """All runs of one scenario and workload, and their hits per stack, run and block of time."""

    name: str
    runs: RunMatrix
    row: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    block: npt.NDArray[np.int64]
    hits: Float64
    noise: Noise | None = None  # learned from the other groups of the workload

    def some(self, columns: list[int]) -> RunMatrix:
        """Only these runs, in this order."""
        return replace(
            self.runs,
            runs=tuple(self.runs.runs[column] for column in columns),
            weight=self.runs.weight[:, columns],
            hits=self.runs.hits[:, columns],
        )


def groups(store: DuckDbStore, where: str | None, comm: str | None) -> list[Group]:
    """Every scenario and workload with more than one run."""
    rows = store.rows("select name, labels from profile order by name")
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, labels in rows:
        found[labels.get("workload", ""), labels.get("scenario", "")].append(name)
    return [
        _group(
            store,
            f"{scenario}.{workload}",
            select(store, "+".join(names), (where,) if where else ()),
            comm,
        )
        for (workload, scenario), names in found.items()
        if len(names) > 1
    ]


def _group(store: DuckDbStore, name: str, profiles: dict[int, str], comm: str | None) -> Group:
    runs = load_input(store, {name: profiles}, Filters(comm=(comm,) if comm else ())).runs
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
    """As `perfduck noise learn` has it from these groups."""
    noise: Noise | None = None
    wholes = []
    for group in others:
        runs, raw, classes = (
            group.runs,
            StackRates.of(group.runs),
            NoiseClasses.of_stacks(group.runs),
        )
        names, columns = classes.names, (np.arange(len(runs.runs)),)
        alike = raw.without(factors(runs, raw, columns))
        [(by_class, weight_per_sample)] = classes.groups(alike, columns)
        everything = tuple(sorted({*names, *(noise.subsystems if noise else ())}))
        prior = noise.over(everything) if noise else assumed(everything)
        rows = np.zeros((len(everything), by_class.shape[1]))
        rows[[everything.index(name) for name in names]] = by_class
        noise = learn(prior, [(rows, weight_per_sample)])
        wholes.append((np.array([raw.totals, runs.hits.sum(axis=0)]).T, SAME))
    return noise.informed(*pooled(wholes)) if noise else None


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


def in_turns(size: int, n: int, random: np.random.Generator) -> tuple[list[int], list[int]]:
    """Sides of neighbours in time, either of which may be new."""
    first = 2 * random.permutation(size // 2)[:n]
    swapped = random.integers(0, 2, n)
    return (first + swapped).tolist(), (first + 1 - swapped).tolist()


@dataclass(frozen=True)
class Trial:
    """One comparison with known growths."""

    group: Group
    runs: RunMatrix
    n: int
    truth: list[tuple[int, Bool, Float64]]  # frame code of the node, its stacks, injected rate

    @property
    def injected(self) -> Float64:
        """Rate that was added, per stack."""
        return np.sum([rate for _, _, rate in self.truth], axis=0)


def inject(
    group: Group, n: int, nodes: int, random: np.random.Generator,
    shares: tuple[float, float] = SHARES, growths: tuple[float, ...] = GROWTHS,
    *, neighbours: bool = False,
) -> Trial:  # fmt: skip
    """Let some nodes of a random A/A comparison grow."""
    size = len(group.runs.runs)
    if neighbours:
        picked = [run for side in in_turns(size, n, random) for run in side]
    else:
        picked = random.permutation(size)[: 2 * n].tolist()
    runs = group.some(picked)
    work = measure(runs, np.arange(n), np.arange(n, 2 * n), DiffOptions())
    weight, hits = runs.weight.copy(), runs.hits.copy()
    truth = []
    for node in _nodes(work, nodes, shares, random):
        mask = work.tree.below(node)[work.tree.leaf]
        growth = float(random.choice(growths))
        added = np.zeros(runs.stacks.size)
        for column in range(n, 2 * n):
            more = duplicated(group, picked[column], mask, growth, random)
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


def duplicated(
    group: Group, column: int, mask: Bool, growth: float, random: np.random.Generator
) -> Float64:
    mine = (group.column == column) & mask[group.row]
    blocks = int(group.block.max()) + 1
    copies = np.floor(growth) + (random.random(blocks) < growth % 1)
    return np.bincount(
        group.row[mine], group.hits[mine] * copies[group.block[mine]], len(mask)
    )  # fmt: skip


Claims = list[tuple[NodeChange, Bool]]  # with the stacks that each explains


def claims_of(trial: Trial) -> tuple[Comparison, Claims, Claims]:
    """The claims of growth that stand, by size, and those that missed the threshold."""
    n = trial.n
    work = measure(
        trial.runs, np.arange(n), np.arange(n, 2 * n), DiffOptions(noise=trial.group.noise)
    )
    found = scan(work.tree, work.rows, work.screen, work.least)
    taken = [*found.grown, *found.shrunk]
    grown = sorted(found.grown, key=lambda f: -f.delta)
    made = [(claim, _stacks_of(work.tree, claim, taken)) for claim in grown]
    standing, below = ([c for c in made if c[0].is_significant is s] for s in (True, False))
    return work, standing, below


def _stacks_of(tree: Tree, claim: NodeChange, taken: list[NodeChange]) -> Bool:
    mask = tree.below(claim.node)
    for other in taken:
        if other.node != claim.node and claim.node in tree.ancestors(other.node):
            mask &= ~tree.below(other.node)
    return mask[tree.leaf]


def jaccard(one: Bool, other: Bool, weight: Float64) -> float:
    both, either = weight[one & other].sum(), weight[one | other].sum()
    return float(both / either) if either else 0.0
