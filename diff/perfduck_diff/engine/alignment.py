"""Paths that are in another place on the other side: which are the same, before anything is tested.

    base   tcp_v4_rcv > tcp_ack > tcp_clean_rtx_queue      310 ns       inlined: tcp_ack is gone
    new    tcp_v4_rcv > tcp_clean_rtx_queue                312 ns

A subtree that only one side has is laid over what the other side has instead, frame by frame from
its top. The image of a frame is, in this order: the same function below the image of its caller;
the same function at a place where the other side has more; the image of the caller, if the other
side has no such function at all (a wrapper, or inlined). A part is laid over only if most of its
weight is missing there: a path that costs nothing any more, or is new, has no image and stays. Of
two subtrees that are images of each other the lighter one moves, so a growth has its place of new.

What is left after that is the *net* change. All chains of a subtree move together, however rare:
to move only what happens to fit would make growth of noise.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from perfduck_diff.engine.renaming import ONE_SIDED, StackWeights
from perfduck_diff.engine.run_matrix import gathered
from perfduck_diff.engine.stacks import Stacks
from perfduck_diff.engine.tree import grown
from perfduck_model.arrays import Int64

ROUNDS = 3  # what moved may uncover more: frames that changed places do
ABSORBED = 0.5  # part of its weight that the other side must have more at the image
CLOSE = 0.1  # part by which one direction must fit better than the other to be preferred
FEW = 30.0  # hits below which a part says little by itself: it goes with its subtree

Path = tuple[int, ...]
Image = tuple[int, Path]  # a node, and frames below it that only the other side's chains have


@dataclass(frozen=True, slots=True)
class Move:
    """A subtree of one side that was laid over another place, or a name that was."""

    label: str  # moved, inlined, outlined; of a name: renamed, unnamed
    side: int  # whose subtree: 0 base, 1 new
    source: Path  # frame codes, root first
    target: Path
    stacks: Int64  # that were taken along
    of_name: bool = False  # source and target are names of one function, not paths

    @property
    def ends(self) -> tuple[Path, Path]:
        """Where base has it, and where new has it."""
        return (self.target, self.source) if self.side else (self.source, self.target)


@dataclass(frozen=True, slots=True)
class Aligned:
    """The stacks as both sides have them, and what was done for it."""

    stacks: Stacks
    moves: tuple[Move, ...]


def align(stacks: Stacks, sides: StackWeights) -> Aligned:
    """Lay subtrees of one side over their images on the other."""
    moves: list[Move] = []
    for _ in range(ROUNDS):
        forest = _Forest(stacks, sides)
        parts = _chosen([*_parts(forest, 0), *_parts(forest, 1)])
        if not parts:
            break
        stacks, made = _moved(forest, stacks, parts)
        moves += made
    return Aligned(stacks, tuple(moves))


class _Forest:
    """The trie of both sides' stacks, with what each side has below and at each node."""

    def __init__(self, stacks: Stacks, sides: StackWeights) -> None:
        self.sides = sides
        least = min(sides.least) / 2
        self.trie = grown(stacks, sides.hits, least)
        self.own = gathered(self.trie.leaf, self.trie.size, sides.rate)
        self.rate = self.trie.upward(self.own)
        self.own_hits = gathered(self.trie.leaf, self.trie.size, sides.hits)
        self.hits = self.trie.upward(self.own_hits)
        self.lost = [sides.lost(self.rate, self.hits, side) for side in (0, 1)]
        if any(lost.any() for lost in self.lost):
            self._index()

    def _index(self) -> None:
        trie = self.trie
        self.parent, self.code = trie.parent.tolist(), trie.code.tolist()
        self.children: dict[int, list[int]] = defaultdict(list)
        self.below: dict[tuple[int, int], int] = {}
        self.places: dict[int, list[int]] = defaultdict(list)
        for node in range(1, trie.size):
            self.children[self.parent[node]].append(node)
            self.below[self.parent[node], self.code[node]] = node
            self.places[self.code[node]].append(node)
        size = int(trie.code.max(initial=0)) + 1
        inner = np.arange(1, trie.size)
        self.function = gathered(trie.code[inner], size, self.rate[inner])

    def roots(self, side: int) -> list[int]:
        """The topmost nodes that only this side has."""
        lost = self.lost[side]
        return np.flatnonzero(lost & ~lost[self.trie.parent]).tolist()

    def subtree(self, root: int) -> list[int]:
        """The node and all below it, callers first."""
        nodes = [root]
        for node in nodes:
            nodes += self.children[node]
        return nodes

    def path(self, node: int) -> Path:
        """Frame codes from the root to the node."""
        codes = []
        while node:
            codes.append(self.code[node])
            node = self.parent[node]
        return tuple(reversed(codes))

    def surplus(self, node: int, side: int) -> float:
        """What the other side has more below the node."""
        return float(self.rate[node, 1 - side] - self.rate[node, side])

    def lacking(self, node: int, side: int) -> float:
        """What the other side has more in the node itself."""
        return float(self.own[node, 1 - side] - self.own[node, side])

    def is_gone(self, code: int, side: int) -> bool:
        """Whether the other side has no such function at all."""
        return bool(self.function[code, 1 - side] <= ONE_SIDED * self.function[code, side])


@dataclass(slots=True)
class _Part:
    """Nodes of one subtree that keep together, and where they go."""

    side: int
    root: int  # of the subtree
    label: str
    nodes: dict[int, Image] = field(default_factory=dict)
    weight: float = 0.0
    hits: float = 0.0
    absorbed: float = 0.0

    def add(self, forest: _Forest, node: int, image: Image) -> None:
        """Take a node along."""
        self.nodes[node] = image
        self.weight += float(forest.own[node, self.side])
        self.hits += float(forest.own_hits[node, self.side])

    @property
    def fits(self) -> bool:
        """Whether the other side has most of it at the image."""
        return self.absorbed >= ABSORBED * self.weight


def _parts(forest: _Forest, side: int) -> list[_Part]:
    """What of the subtrees of one side has an image that lacks it."""
    selection: list[_Part] = []
    for root in forest.roots(side):
        parts = [part for part in _images(forest, root, side) if part.weight > 0]
        for part in parts:
            part.absorbed = _absorbed(forest, part)
        whole, absorbed = (sum(getattr(p, name) for p in parts) for name in ("weight", "absorbed"))
        if parts and absorbed >= ABSORBED * whole:
            selection += [part for part in parts if part.fits or part.hits < FEW]
        else:
            selection += [part for part in parts if part.fits and part.hits >= FEW]
    return selection


def _images(forest: _Forest, root: int, side: int) -> list[_Part]:
    """Every node of the subtree that has an image other than itself, in parts."""
    parts: list[_Part] = []
    part_of: dict[int, _Part] = {}
    nodes = forest.subtree(root)
    inside = set(nodes)
    for node in nodes:
        above = forest.parent[node]
        part = part_of.get(above)
        at = part.nodes[above] if part else (above, ())
        image, jumps = _image(forest, node, at, side, inside)
        if image == (above, (forest.code[node],)):
            continue  # its own image
        if part is None or jumps:
            part = _Part(side, root, _label(forest, node, image, side))
            parts.append(part)
        part_of[node] = part
        part.add(forest, node, image)
    return parts


def _image(
    forest: _Forest, node: int, at: Image, side: int, inside: set[int]
) -> tuple[Image, bool]:
    """Where a node goes if its caller went there, and whether it leaves its caller for that."""
    (place, extra), function = at, forest.code[node]
    there = None if extra else forest.below.get((place, function))
    if there is not None and there not in inside and forest.rate[there, 1 - side] > 0:
        return (there, ()), False
    if (other := _elsewhere(forest, node, side, inside)) is not None:
        return (other, ()), True
    if forest.is_gone(function, side):
        return _wrapped(forest, node, at, side, inside), False
    return (place, (*extra, function)), False


def _wrapped(forest: _Forest, node: int, at: Image, side: int, inside: set[int]) -> Image:
    """Of a function that the other side has not: the image of its caller, or the caller that most
    of its callees have there, whichever has more of its own than here."""
    weight: dict[int, float] = defaultdict(float)
    for child in forest.children[node]:
        if (other := _elsewhere(forest, child, side, inside)) is not None:
            weight[forest.parent[other]] += float(forest.rate[child, side])
    places = [at]
    for place, part in weight.items():
        if part > forest.rate[node, side] / 2:
            places.append((place, ()))
    return max(places, key=lambda image: forest.lacking(image[0], side))


def _label(forest: _Forest, node: int, image: Image, side: int) -> str:
    if image[1] or forest.code[image[0]] == forest.code[node]:
        return "moved"
    return "inlined" if side == 0 else "outlined"


def _elsewhere(forest: _Forest, node: int, side: int, inside: set[int]) -> int | None:
    """Where the other side has more of this function, at least half as much; on the likest path."""
    rate = float(forest.rate[node, side])
    places = [
        place
        for place in forest.places[forest.code[node]]
        if place not in inside and forest.surplus(place, side) >= rate / 2
    ]
    if not places:
        return None
    mine = set(forest.path(node))
    return max(places, key=lambda place: (_likeness(mine, set(forest.path(place))), -place))


def _likeness(one: set[int], other: set[int]) -> float:
    return len(one & other) / len(one | other)


def _absorbed(forest: _Forest, part: _Part) -> float:
    """How much of the part the other side has more at its images."""
    moved: dict[int, float] = defaultdict(float)
    for node, (place, _) in part.nodes.items():
        moved[place] += float(forest.own[node, part.side])
    return sum(
        min(weight, max(forest.lacking(place, part.side), 0.0)) for place, weight in moved.items()
    )


def _chosen(parts: list[_Part]) -> list[_Part]:
    """Of parts that are images of each other those of one side: that which fits better, or is
    lighter."""
    by_node = {node: number for number, part in enumerate(parts) for node in part.nodes}
    group = list(range(len(parts)))

    def top(number: int) -> int:
        while group[number] != number:
            number = group[number]
        return number

    for number, part in enumerate(parts):
        for place, _ in part.nodes.values():
            if place in by_node:
                group[top(number)] = top(by_node[place])
    together: dict[int, list[_Part]] = defaultdict(list)
    for number, part in enumerate(parts):
        together[top(number)].append(part)
    return [part for some in together.values() for part in _one_side(some)]


def _one_side(parts: list[_Part]) -> list[_Part]:
    sides = [[part for part in parts if part.side == side] for side in (0, 1)]
    if not all(sides):
        return parts
    absorbed, weight = (
        [sum(getattr(part, name) for part in some) for some in sides]
        for name in ("absorbed", "weight")
    )
    if abs(absorbed[0] - absorbed[1]) > CLOSE * max(absorbed):
        return sides[int(absorbed[1] > absorbed[0])]
    return sides[int(weight[1] < weight[0])]


def _moved(forest: _Forest, stacks: Stacks, parts: list[_Part]) -> tuple[Stacks, list[Move]]:
    trie = forest.trie
    order = np.argsort(trie.leaf, kind="stable")
    starts = np.searchsorted(trie.leaf[order], np.arange(trie.size + 1))
    rows: list[int] = []
    chains: list[list[int]] = []
    moves = []
    for part in parts:
        mine: list[int] = []
        for node, (place, extra) in part.nodes.items():
            of_node = order[starts[node] : starts[node + 1]].tolist()
            before, depth = [*forest.path(place), *extra], len(forest.path(node))
            mine += of_node
            chains += [[*before, *stacks.chain(row)[depth:].tolist()] for row in of_node]
        rows += mine
        moves.append(_move(forest, part, np.array(mine, dtype=np.int64)))
    return stacks.rewritten(np.array(rows, dtype=np.int64), chains).collapsed(), moves


def _move(forest: _Forest, part: _Part, stacks: Int64) -> Move:
    node, (place, extra) = next(iter(part.nodes.items()))
    return Move(part.label, part.side, forest.path(node), (*forest.path(place), *extra), stacks)
