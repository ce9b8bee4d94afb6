"""Which nodes grew, each growth counted once.

A growth shows in the node that has it, in every caller above and in most callees below. The scan
takes the surest node, goes up from it while the rest of the caller grew in like proportion (the
surest callee of a growth is rarely its top), subtracts its weight from everything above, drops
everything below, asks again, and so on: what it claims never overlaps, so claims and the
unattributed rest add up to the difference of the totals.

The first pass lets through what Benjamini-Hochberg rejects among all nodes. That alone is not
enough: the callers and callees of a true growth are rejected too and loosen the cut for isolated
chance finds (28-33 % of claims false in simulations). So the claims themselves go through
Benjamini-Hochberg once more, against the number of nodes tested and not of claims made.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from perfduck_diff.moderated import Design, Moderated, Rows, Test
from perfduck_diff.tree import ROOT, Tree

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

LEVEL = 0.05
ALIKE = 0.6  # relative growth of the caller's rest over the node's: as much, and it is one growth


@dataclass(frozen=True, slots=True)
class Found:
    """A node that changed by itself: what is left of it after the claims made before."""

    node: int
    rates: Floats  # what the claim explains, per run
    mix: Floats  # and what it consists of, per noise class
    delta: float
    error: float
    freedom: float
    p: float  # one-sided, in the direction of delta
    q: float = 1.0
    stands: bool = False


@dataclass(frozen=True, slots=True)
class Scan:
    """What grew and what shrank, surest first; `tested` nodes had enough samples."""

    grown: tuple[Found, ...]
    shrunk: tuple[Found, ...]
    tested: int


def scan(tree: Tree, rows: Rows, model: Moderated, least: float, level: float = LEVEL) -> Scan:
    """Claim until no node is left that would pass the first screen."""
    tested = enough(rows, model.design, least)
    state = _State(tree, rows, model, tested)
    cuts = (_cut(state.growth[tested], level), _cut(state.shrinkage[tested], level))
    found: list[Found] = []
    while (node := state.surest(cuts)) is not None:
        found.append(state.claim(node))
    size = int(tested.sum())
    grown = judged([claim for claim in found if claim.delta > 0], size, level)
    return Scan(grown, judged([claim for claim in found if claim.delta <= 0], size, level), size)


def enough(rows: Rows, design: Design, least: float) -> Bools:
    """Rows with at least `least` samples a run, over both sides: blind to which side is which."""
    samples = (rows.rates / design.grain).mean(axis=1)
    return np.asarray(samples >= least)


def judged(found: list[Found], tested: int, level: float) -> tuple[Found, ...]:
    """Benjamini-Hochberg over the claims, out of everything tested."""
    if not found:
        return ()
    order = sorted(found, key=lambda claim: (claim.p, claim.node))
    p = np.array([claim.p for claim in order])
    q = adjusted(p, tested)
    return tuple(
        replace(claim, q=float(value), stands=bool(value <= level))
        for claim, value in zip(order, q, strict=True)
    )


def adjusted(p: Floats, tested: int) -> Floats:
    """Benjamini-Hochberg q of ascending p, of which there may be fewer than were tested."""
    raw = p * tested / np.arange(1, len(p) + 1)
    return np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)


def _cut(p: Floats, level: float) -> float:
    ordered = np.sort(p)
    passed = np.flatnonzero(ordered <= level * np.arange(1, len(p) + 1) / max(len(p), 1))
    # at least Bonferroni's: what a claim leaves behind may change though the whole did not
    return float(ordered[passed[-1]]) if len(passed) else level / max(len(p), 1)


class _State:
    """What is left of every node."""

    def __init__(self, tree: Tree, rows: Rows, model: Moderated, alive: Bools) -> None:
        self.tree, self.model, self.alive = tree, model, alive.copy()
        self.rows = Rows(rows.rates.copy(), rows.mix.copy())
        self.growth, self.shrinkage = np.ones(tree.size), np.ones(tree.size)
        self.score = np.zeros(tree.size)
        self.test = model(self.rows)
        self._record(np.arange(tree.size), self.test)

    def _record(self, nodes: npt.NDArray[np.int64], test: Test) -> None:
        self.growth[nodes], self.shrinkage[nodes] = test.growth, test.shrinkage
        self.score[nodes] = np.abs(test.z)

    def surest(self, cuts: tuple[float, float]) -> int | None:
        """The node with the largest z whose p is within the first screen."""
        passed = self.alive & ((self.growth <= cuts[0]) | (self.shrinkage <= cuts[1]))
        nodes = np.flatnonzero(passed)
        if not len(nodes):
            return None
        # the deepest of equals: the root may hold no more than its only child
        return self._whole(max(nodes.tolist(), key=lambda node: (self.score[node], node)))

    def _whole(self, node: int) -> int:
        """Up to the caller while what it adds to the node changed like the node.

        On recordings with injected growth precision at 5 went from .75 to .95 (n = 3).
        """
        while node != ROOT:
            above = int(self.tree.parent[node])
            if above == ROOT or not self.alive[above] or not self._alike(node, above):
                break
            node = above
        return node

    def _alike(self, node: int, above: int) -> bool:
        rest = Rows(
            np.maximum(self.rows.rates[[above]] - self.rows.rates[[node]], 0.0),
            np.maximum(self.rows.mix[[above]] - self.rows.mix[[node]], 0.0),
        )
        mine, other = (self._relative(rates) for rates in (self.rows.rates[node], rest.rates[0]))
        if mine == 0 or other / mine <= ALIKE:
            return False
        test = self.model(rest)
        return bool((test.growth if mine > 0 else test.shrinkage)[0] < LEVEL)

    def _relative(self, rates: Floats) -> float:
        """(new - base) / (new + base): 1 for a new path."""
        base, new = (float(rates[side].mean()) for side in self.model.design.sides)
        return (new - base) / (new + base) if new + base else 0.0

    def claim(self, node: int) -> Found:
        """Take what is left of a node, from it and from all above."""
        test = self.model(self.rows[np.array([node])])
        delta, p = float(test.delta[0]), min(self.growth[node], self.shrinkage[node])
        left = self.rows.rates[node].copy(), self.rows.mix[node].copy()
        self._take(node)
        return Found(node, *left, delta, float(test.error[0]), float(test.freedom[0]), float(p))

    def _take(self, node: int) -> None:
        self.alive &= ~self.tree.below(node)
        above = np.array(self.tree.ancestors(node), dtype=np.int64)
        if len(above):
            for matrix in (self.rows.rates, self.rows.mix):
                matrix[above] = np.maximum(matrix[above] - matrix[node], 0.0)
            self._record(above, self.model(self.rows[above]))
