"""Call trees: a node is a set of stacks that share their first frames.

    do_syscall_64 > __x64_sys_sendto > __sys_sendto   40 stacks: one node, named by its last frame
        udp_sendmsg                                   31 stacks
        (ended here)                                   9 stacks

A trie has a node for every distinct beginning of the stacks, down to what is too light to be kept.
In a tree a chain of nodes that hold the very same stacks is one hypothesis, so it is one node: the
last of the chain, where it branches or where a stack ends. Every stack is under a node at most
once, however often a function recurses.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from perfduck_diff.engine.run_matrix import gathered
from perfduck_diff.engine.stacks import Stacks
from perfduck_model.arrays import Bool, Float64, Int32, Int64

ROOT = 0


@dataclass(frozen=True, slots=True)
class Trie:
    """Nodes in order of depth, then of parent and code; node 0 is the root and has code -1."""

    parent: Int64
    code: Int64
    members: Int64  # stacks that a node holds
    leaf: Int64  # per stack: the deepest node that holds it
    levels: tuple[slice, ...]  # the nodes of each depth, without the root

    @property
    def size(self) -> int:
        """How many nodes."""
        return len(self.parent)

    def upward(self, own: Float64) -> Float64:
        """Each node's own sum and those of everything below it."""
        total = own.copy()
        for level in reversed(self.levels):
            np.add.at(total, self.parent[level], total[level])
        return total


def grown(stacks: Stacks, weights: Float64, least: float) -> Trie:
    """Of nodes those that weigh at least `least` in a column of `weights` (stack x any)."""
    parent, code, members = [np.zeros(1, np.int64)], [np.full(1, -1)], [np.array([stacks.size])]
    leaf, size, depth = np.zeros(stacks.size, np.int64), 1, 0
    length, active = stacks.length, np.arange(stacks.size)
    while len(active := active[length[active] > depth]):
        active, above, frame, first = _divided(active, leaf, stacks, depth)
        which = np.cumsum(first) - 1
        is_large = gathered(which, int(which[-1]) + 1, weights[active]).max(axis=1) >= least
        parent.append(above[first][is_large])
        code.append(frame[first][is_large])
        members.append(np.bincount(which)[is_large])
        number = np.cumsum(is_large) - 1 + size
        active, which = active[is_large[which]], which[is_large[which]]
        leaf[active] = number[which]
        size, depth = size + int(is_large.sum()), depth + 1
    ends = np.cumsum([len(some) for some in parent])
    levels = tuple(slice(int(start), int(stop)) for start, stop in pairwise(ends))
    return Trie(np.concatenate(parent), np.concatenate(code), np.concatenate(members), leaf, levels)


def _divided(
    active: Int64, leaf: Int64, stacks: Stacks, depth: int
) -> tuple[Int64, Int64, Int32, Bool]:
    """Stacks in order of their node and next frame, these two, and where a new pair begins."""
    above, frame = leaf[active], stacks.codes[stacks.start[active] + depth]
    order = np.lexsort((_narrow(frame), _narrow(above)))
    above, frame = above[order], frame[order]
    first = np.ones(len(active), np.bool_)
    first[1:] = (above[1:] != above[:-1]) | (frame[1:] != frame[:-1])
    return active[order], above, frame, first


def _narrow(values: Int64 | Int32) -> npt.NDArray[np.unsignedinteger]:
    """In as few bytes as do: numpy sorts 16 bit ten times as fast as 64."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))


@dataclass(frozen=True, slots=True)
class Tree:
    """Nodes in order of depth; node 0 is the root and holds every stack.

    `parent` and `chain` are per node; `leaf[stack]` is the deepest node that holds the stack.
    `chain` has the frame codes from below the parent to the node itself, more than one where
    nodes were merged.
    """

    parent: Int64
    chain: tuple[tuple[int, ...], ...]
    leaf: Int64

    @property
    def size(self) -> int:
        """How many nodes."""
        return len(self.parent)

    def path(self, node: int) -> list[int]:
        """Frame codes from the root to the node, merged chains whole."""
        parts = [self.chain[step] for step in reversed([node, *self.ancestors(node)])]
        return [code for part in parts for code in part]

    def ancestors(self, node: int) -> list[int]:
        """From the parent up to the root."""
        nodes = []
        while node != ROOT:
            node = int(self.parent[node])
            nodes.append(node)
        return nodes

    def below(self, node: int) -> Bool:
        """Mask of the node and everything under it."""
        mask = np.zeros(self.size, dtype=np.bool_)
        mask[node] = True
        for level in _levels(self.parent):
            mask[level] |= mask[self.parent[level]]
        return mask

    def children(self, node: int) -> Int64:
        """The nodes right below."""
        nodes = np.flatnonzero(self.parent == node)
        return np.asarray(nodes[nodes != ROOT])

    def inclusive(self, weights: Float64) -> Float64:
        """Sums over the stacks of each node: node x run, from stack x run."""
        return self.upward(self.own(weights))

    def own(self, weights: Float64) -> Float64:
        """Sums over the stacks that end in a node, or below it in nodes too light to be kept."""
        return gathered(self.leaf, self.size, weights)

    def upward(self, own: Float64) -> Float64:
        """Each node's own sum and those of everything under it."""
        total = own.copy()
        for level in reversed(_levels(self.parent)):
            np.add.at(total, self.parent[level], total[level])
        return total


def _levels(parent: Int64) -> list[Int64]:
    """Nodes per depth without the root, top first."""
    depth = np.zeros(len(parent), dtype=np.int64)
    # parents stand before their children
    for node in range(1, len(parent)):
        depth[node] = depth[parent[node]] + 1
    order = np.argsort(depth, kind="stable")[1:]
    return [
        level for level in np.split(order, np.flatnonzero(np.diff(depth[order])) + 1) if len(level)
    ]


def grow(stacks: Stacks, hits: Float64, least: float) -> Tree:
    """Build the tree of `stacks`, leaving out nodes with fewer than `least` hits in all runs."""
    return _merged(grown(stacks, hits[:, None], least))


def _merged(trie: Trie) -> Tree:
    parent, members = trie.parent, trie.members
    same = members == members[parent]  # an only child that holds all of its parent's stacks
    same[ROOT] = False
    gone = np.zeros(len(parent), dtype=np.bool_)
    gone[parent[same]] = True
    gone[ROOT] = False  # the whole is always asked about
    number = np.cumsum(~gone) - 1
    chain: list[tuple[int, ...]] = [(int(entry),) for entry in trie.code]
    above = parent.copy()
    for node in range(1, len(parent)):
        if gone[above[node]]:
            chain[node] = chain[above[node]] + chain[node]
            above[node] = above[above[node]]
    chain[ROOT] = ()
    remaining = np.flatnonzero(~gone)
    return Tree(
        number[above[remaining]], tuple(chain[node] for node in remaining), number[trie.leaf]
    )
