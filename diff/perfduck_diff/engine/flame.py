"""The call tree of both sides as flame graphs draw it: own weight per node and unit of work.

                                       base    new   ns/packet
    all                                  12     13
    └ handle_softirqs                     3      3
      └ net_rx_action                    40     46
        └ br_handle_frame                 0    110

Unlike the engine's tree (tree.py) no chain is merged and nothing is tested: people want to see
every frame. What is too light to be seen is folded into its caller, and how much that is, is said.
"""

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from perfduck_diff.engine.comparison import TreeName, subsystem_codes
from perfduck_diff.engine.dimensions import DIMENSIONS, OF_SAMPLES, SPLITS, cells
from perfduck_diff.engine.rates import Per, StackRates, rates
from perfduck_diff.engine.run_matrix import Frame, RunMatrix, gathered
from perfduck_diff.engine.stacks import Stacks
from perfduck_diff.engine.tree import Trie, grown
from perfduck_diff.keys import MatrixKey
from perfduck_model.arrays import Float64, Int64

ROOT = 0
LEAST = 1 / 50000  # of the more expensive side: a pixel, when zoomed to a fortieth of the page
MOST = 8000  # nodes: what a browser lays out at once, in a page of less than 1 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsystemWeight:
    """A subsystem's weight on both sides: at the leaf, and by the charge of each stack."""

    subsystem: str
    area: str
    self: tuple[float, float]
    blamed: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitWeight:
    """The weight of a value of a dimension on both sides."""

    name: str
    total: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitWeights:
    """What a dimension (dimensions.py) splits both sides into, heaviest first."""

    by: MatrixKey
    rows: tuple[SplitWeight, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flame:
    """Nodes depth first, the heaviest child first; node 0 is the root and has frame -1.

    `own` is node x (base, new): the weight that ends in the node, per unit of work, and that of
    callees folded into it. A flame of one side has it in both columns' place: base is all zero.
    """

    unit: str
    event: str
    tree: TreeName
    frames: tuple[Frame, ...]
    parent: Int64
    frame: Int64
    own: Float64
    least: float  # nodes below this on both sides are folded into their caller
    folded: tuple[float, float]  # what was folded, as a part of each side's total
    parts: tuple[SubsystemWeight, ...]
    splits: tuple[SplitWeights, ...] = ()  # of every dimension but subsystems

    @property
    def size(self) -> int:
        """How many nodes."""
        return len(self.parent)

    @property
    def total(self) -> tuple[float, float]:
        """Base and new."""
        base, new = self.own.sum(axis=0).tolist()
        return base, new

    def inclusive(self) -> Float64:
        """The weight of each node with everything below: node x (base, new)."""
        return _inclusive(self.parent, self.own)

    def name(self, node: int) -> str:
        """What the node is called."""
        return "all" if node == ROOT else self.frames[self.frame[node]].name

    def find(self, path: tuple[str, ...]) -> int | None:
        """The node at the end of a path of names, root first; of several the heaviest."""
        node = ROOT
        for name in () if path == ("all",) else path:
            below = np.flatnonzero(self.parent == node)
            named = [child for child in below.tolist() if child and self.name(child) == name]
            if not named:
                return None
            node = named[0]
        return node


def flame(
    runs: RunMatrix,
    base: Int64,
    new: Int64,
    *,
    tree: TreeName = "rerooted",
    per: Per | None = None,
    most: int = MOST,
) -> Flame:
    """Mean cost of every call path on both sides; `base` may be empty."""
    stacks, frames = _shaped(runs, tree)
    made = drawn(runs, stacks, frames, mean_sides(runs, base, new, per), tree, per, most)
    of_samples = (_of_samples(by, runs, base, new, per) for by in OF_SAMPLES)
    return replace(made, splits=(*made.splits, *of_samples))


def mean_sides(runs: RunMatrix, base: Int64, new: Int64, per: Per | None) -> Float64:
    """The mean cost of each stack on both sides: stack x (base, new)."""
    rate = StackRates.of(runs, per).rate
    return np.stack([_mean(rate, base), _mean(rate, new)], axis=1)


def drawn(
    runs: RunMatrix,
    stacks: Stacks,
    frames: tuple[Frame, ...],
    sides: Float64,
    tree: TreeName,
    per: Per | None,
    most: int = MOST,
) -> Flame:
    """The tree of these chains, one for each stack of the runs, with these costs."""
    unit = rates(runs, per)
    trie, least = _pruned(stacks, sides, most)
    order = _depth_first(trie, sides, [frame.name for frame in frames])
    number = np.argsort(order)
    return Flame(
        unit=unit.unit,
        event=runs.event,
        tree=tree,
        frames=frames,
        parent=number[trie.parent[order]],
        frame=trie.code[order],
        own=gathered(number[trie.leaf], trie.size, sides),
        least=least,
        folded=_folded(trie, stacks, sides),
        parts=_parts(runs, sides),
        splits=tuple(
            SplitWeights(by=by, rows=_split(*DIMENSIONS[by].values(runs), sides))
            for by in SPLITS
            if by not in OF_SAMPLES
        ),
    )


def _mean(rate: Float64, columns: Int64) -> Float64:
    return rate[:, columns].mean(axis=1) if len(columns) else np.zeros(len(rate))


def _shaped(runs: RunMatrix, tree: TreeName) -> tuple[Stacks, tuple[Frame, ...]]:
    if tree == "path":
        return runs.stacks.collapsed(), runs.frames
    rerooted = runs.stacks.rerooted(runs.entry())
    if tree == "rerooted":
        return rerooted.collapsed(), runs.frames
    frames = [Frame(f.subsystem, f.dso, f.subsystem, f.area, f.role, f.kernel) for f in runs.frames]
    return rerooted.mapped(subsystem_codes(runs)), tuple(frames)


def _pruned(stacks: Stacks, sides: Float64, most: int) -> tuple[Trie, float]:
    """As many nodes as are worth drawing, and the least weight they have. A node is at least as
    heavy as any below it."""
    least = LEAST * float(sides.sum(axis=0).max(initial=0.0))
    trie = grown(stacks, sides, least)
    if trie.size <= most:
        return trie, least
    own = gathered(trie.leaf, trie.size, sides)
    heaviest = np.sort(_inclusive(trie.parent, own).max(axis=1))[::-1]
    least = float(np.nextafter(heaviest[most], np.inf))
    return grown(stacks, sides, least), least


def _inclusive(parent: Int64, own: Float64) -> Float64:
    total = own.copy()
    for node in range(len(parent) - 1, ROOT, -1):  # parents stand before their children
        total[parent[node]] += total[node]
    return total


def _depth_first(trie: Trie, sides: Float64, names: list[str]) -> Int64:
    """Nodes in the order they are drawn. The same order on both sides, so they can be compared."""
    weight = _inclusive(trie.parent, gathered(trie.leaf, trie.size, sides)).max(axis=1).tolist()
    below: defaultdict[int, list[int]] = defaultdict(list)
    for node in range(1, trie.size):
        below[int(trie.parent[node])].append(node)
    order: list[int] = []
    waiting = [ROOT]
    while waiting:
        node = waiting.pop()
        order.append(node)
        # the last is taken first
        waiting += sorted(below[node], key=lambda n: (weight[n], names[trie.code[n]], n))
    return np.array(order, dtype=np.int64)


def _folded(trie: Trie, stacks: Stacks, sides: Float64) -> tuple[float, float]:
    """The part of each side whose leaf is not drawn."""
    depth = np.zeros(trie.size, dtype=np.int64)
    for node in range(1, trie.size):
        depth[node] = depth[trie.parent[node]] + 1
    cut = sides[stacks.length > depth[trie.leaf]].sum(axis=0)
    base, new = (cut / np.maximum(sides.sum(axis=0), 1e-300)).tolist()
    return base, new


def _parts(runs: RunMatrix, sides: Float64) -> tuple[SubsystemWeight, ...]:
    """By charge: what is expensive or changed much first."""
    number = {name: place for place, name in enumerate(dict.fromkeys(_subsystems(runs)))}
    charged = np.array([number[name] for name in runs.subsystems])[runs.blame]
    of_frame = np.array([number[frame.subsystem] for frame in runs.frames], dtype=np.int64)
    leaf = runs.stacks.ends(leaf=True)
    caught = np.where(leaf >= 0, of_frame[np.maximum(leaf, 0)], charged)
    own, blamed = (gathered(keys, len(number), sides).tolist() for keys in (caught, charged))
    made = [
        SubsystemWeight(
            subsystem=name,
            area=runs.area.get(name, "unknown"),
            self=tuple(own[place]),
            blamed=tuple(blamed[place]),
        )
        for name, place in number.items()
        if any(own[place]) or any(blamed[place])
    ]
    return tuple(sorted(made, key=_weight))


def _of_samples(
    by: MatrixKey, runs: RunMatrix, base: Int64, new: Int64, per: Per | None
) -> SplitWeights:
    split = cells(runs, by)
    rate = split.weight / rates(runs, per).divisor
    sides = np.stack([_mean(rate, base), _mean(rate, new)], axis=1)
    return SplitWeights(by=by, rows=_split(split.names, split.value, sides))


def _split(names: tuple[str, ...], keys: Int64, sides: Float64) -> tuple[SplitWeight, ...]:
    weights = gathered(keys, len(names), sides).tolist()
    made = [
        SplitWeight(name=name, total=(base, new))
        for name, (base, new) in zip(names, weights, strict=True)
        if base or new
    ]
    return tuple(sorted(made, key=lambda row: (-max(row.total), row.name)))


def _subsystems(runs: RunMatrix) -> list[str]:
    return [*runs.subsystems, *(frame.subsystem for frame in runs.frames)]


def _weight(part: SubsystemWeight) -> tuple[float, float, str]:
    base, new = part.blamed
    return -(max(base, new) + abs(new - base)), -max(part.self), part.subsystem


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """A function's weight on one side: at the leaf, and anywhere on the stack, counted once."""

    frame: Frame
    self: float
    total: float


def hottest(
    runs: RunMatrix, columns: Int64, *, per: Per | None = None, limit: int = 200
) -> list[Heat]:
    """Functions by self weight per unit of work, mean of the runs."""
    weight = _mean(StackRates.of(runs, per).rate, columns)[:, None]
    width, chains = len(runs.frames), runs.stacks
    leaf = chains.ends(leaf=True)
    own = gathered(leaf[leaf >= 0], width, weight[leaf >= 0])[:, 0]
    owner, code = chains.distinct()
    total = gathered(code, width, weight[owner])[:, 0]
    order = np.lexsort((np.arange(width), -total, -own))[:limit].tolist()
    rows = [(runs.frames[code], float(own[code]), float(total[code])) for code in order]
    return [Heat(frame=frame, self=s, total=t) for frame, s, t in rows if t > 0]
