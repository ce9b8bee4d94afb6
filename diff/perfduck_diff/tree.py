"""Call trees: a node is a set of stacks that share their first frames.

    do_syscall_64 > __x64_sys_sendto > __sys_sendto   40 stacks: one node, named by its last frame
        udp_sendmsg                                   31 stacks
        (ended here)                                   9 stacks

A chain of nodes that hold the very same stacks is one hypothesis, so it is one node: the last of
the chain, where it branches or where a stack ends. Every stack is under a node at most once,
however often a function recurses.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perfduck_diff.stacks import Bools, Ints, Stacks

Floats = npt.NDArray[np.float64]

ROOT = 0


@dataclass(frozen=True, slots=True)
class Tree:
    """Nodes in order of depth; node 0 is the root and holds every stack.

    `parent` and `chain` are per node; `leaf[stack]` is the deepest node that holds the stack.
    `chain` has the frame codes from below the parent to the node itself, more than one where
    nodes were merged.
    """

    parent: Ints
    chain: tuple[tuple[int, ...], ...]
    leaf: Ints

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
        found = []
        while node != ROOT:
            node = int(self.parent[node])
            found.append(node)
        return found

    def below(self, node: int) -> Bools:
        """Mask of the node and everything under it."""
        mask = np.zeros(self.size, dtype=np.bool_)
        mask[node] = True
        for level in _levels(self.parent):
            mask[level] |= mask[self.parent[level]]
        return mask

    def children(self, node: int) -> Ints:
        """The nodes right below."""
        found = np.flatnonzero(self.parent == node)
        return np.asarray(found[found != ROOT])

    def inclusive(self, weights: Floats) -> Floats:
        """Sums over the stacks of each node: node x run, from stack x run."""
        total = self.own(weights)
        for level in reversed(_levels(self.parent)):
            np.add.at(total, self.parent[level], total[level])
        return total

    def own(self, weights: Floats) -> Floats:
        """Sums over the stacks that end in a node, or below it in nodes too light to be kept."""
        total = np.zeros((self.size, weights.shape[1]))
        for run in range(weights.shape[1]):
            total[:, run] = np.bincount(self.leaf, weights[:, run], self.size)
        return total


def _levels(parent: Ints) -> list[Ints]:
    """Nodes per depth without the root, top first."""
    depth = np.zeros(len(parent), dtype=np.int64)
    # parents stand before their children
    for node in range(1, len(parent)):
        depth[node] = depth[parent[node]] + 1
    order = np.argsort(depth, kind="stable")[1:]
    return [
        level for level in np.split(order, np.flatnonzero(np.diff(depth[order])) + 1) if len(level)
    ]


def grow(stacks: Stacks, hits: Floats, least: float) -> Tree:
    """Build the tree of `stacks`, leaving out nodes with fewer than `least` hits in all runs."""
    return _merged(_Trie(stacks, hits, least))


class _Trie:
    """Every node, before chains are merged."""

    def __init__(self, stacks: Stacks, hits: Floats, least: float) -> None:
        self.parent, self.code = [np.zeros(1, np.int64)], [np.full(1, -1)]
        self.members = [np.array([stacks.size])]
        self.leaf = np.zeros(stacks.size, dtype=np.int64)
        self.size, self.width = 1, int(stacks.codes.max(initial=0)) + 1
        active, depth = np.arange(stacks.size), 0
        while len(active):
            active = active[stacks.length[active] > depth]
            active = self._descend(active, stacks.codes[stacks.start[active] + depth], hits, least)
            depth += 1

    def _descend(self, active: Ints, code: Ints, hits: Floats, least: float) -> Ints:
        key = self.leaf[active] * self.width + code
        found, which = np.unique(key, return_inverse=True)
        kept = np.bincount(which, hits[active], len(found)) >= least
        number = np.where(kept, np.cumsum(kept) - 1 + self.size, -1)
        self.parent.append(found[kept] // self.width)
        self.code.append(found[kept] % self.width)
        self.members.append(np.bincount(which, minlength=len(found))[kept])
        self.size += int(kept.sum())
        active, which = active[kept[which]], which[kept[which]]
        self.leaf[active] = number[which]
        return active


def _merged(trie: _Trie) -> Tree:
    parent, code = np.concatenate(trie.parent), np.concatenate(trie.code)
    members = np.concatenate(trie.members)
    same = members == members[parent]  # an only child that holds all of its parent's stacks
    same[ROOT] = False
    gone = np.zeros(len(parent), dtype=np.bool_)
    gone[parent[same]] = True
    gone[ROOT] = False  # the whole is always asked about
    number = np.cumsum(~gone) - 1
    chain: list[tuple[int, ...]] = [(int(entry),) for entry in code]
    above = parent.copy()
    for node in range(1, len(parent)):
        if gone[above[node]]:
            chain[node] = chain[above[node]] + chain[node]
            above[node] = above[above[node]]
    chain[ROOT] = ()
    kept = np.flatnonzero(~gone)
    return Tree(number[above[kept]], tuple(chain[node] for node in kept), number[trie.leaf])
