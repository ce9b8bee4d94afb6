"""Functions that one side calls by another name: matched by who calls them and what they call.

    base   net_rx_action <- __do_softirq -> 12,500 ns below          seen in base only
    new    net_rx_action <- softirq_loop -> 12,450 ns below          seen in new only

A function that only base has and one that only new has are taken for one if the shares of their
callers and callees are alike. The pairs are those of the least total unlikeness
(scipy.optimize.linear_sum_assignment), so that no function has two names. What is known of the
kernel's history (perfduck_tags.renamed) is one name before that.
"""

from dataclasses import dataclass

import numpy as np
import scipy

from perfduck_diff.engine.run_matrix import Frame
from perfduck_diff.engine.stacks import Stacks
from perfduck_model.arrays import Bool, Float64, Int32, Int64

ONE_SIDED = 0.02  # of the one side's weight: what the other may have of a function it lost
ALIKE = 0.6  # mean of callers' and callees' likeness
RATIO = 4.0  # of the two weights: one that costs more than that beside is another function
OTHER_SUBSYSTEM = 0.15  # less alike
PASSES = 3  # a renamed function may call a renamed function


@dataclass(frozen=True, slots=True)
class StackWeights:
    """What the stacks weigh on each side: mean rate of the runs, and hits of all runs."""

    rate: Float64  # stack x (base, new)
    hits: Float64  # stack x (base, new)
    least: tuple[float, float]  # hits from which a side counts as having seen something

    def lost(self, rate: Float64, hits: Float64, side: int) -> Bool:
        """Of rows (any x side) those that this side has and the other has not."""
        seen = hits[:, side] >= self.least[side]
        return np.asarray(seen & (rate[:, 1 - side] <= ONE_SIDED * rate[:, side]))


def renamed(stacks: Stacks, frames: tuple[Frame, ...], sides: StackWeights) -> Int32:
    """For every code the code whose name it goes by: of a pair the one with more weight."""
    table = np.arange(len(frames), dtype=np.int32)
    for _ in range(PASSES):
        pairs = _pairs(stacks.mapped(table), frames, sides)
        if not pairs:
            break
        for one, other in pairs:
            table[table == one] = other
    return table


def _pairs(stacks: Stacks, frames: tuple[Frame, ...], sides: StackWeights) -> list[tuple[int, int]]:
    """(lesser, heavier) of every pair of functions that are one."""
    size = len(frames)
    owner, codes = stacks.flat()
    rate = _summed(codes, size, sides.rate[owner])
    hits = _summed(codes, size, sides.hits[owner])
    gone, come = (np.flatnonzero(sides.lost(rate, hits, side)) for side in (0, 1))
    if not len(gone) or not len(come):
        return []
    first = np.ones(len(owner), dtype=np.bool_)
    first[1:] = owner[1:] != owner[:-1]
    last = np.append(first[1:], np.ones(min(1, len(first)), np.bool_))
    before = np.where(first, size, np.roll(codes, 1))
    after = np.where(last, size, np.roll(codes, -1))
    around = [
        [
            _shares(codes, beside, few, size + 1, sides.rate[owner, side])
            for beside in (before, after)
        ]
        for side, few in ((0, gone), (1, come))
    ]
    likeness = sum(_overlap(a, b) for a, b in zip(*around, strict=True)) / 2
    subsystem = np.array([frame.subsystem for frame in frames])
    likeness -= OTHER_SUBSYSTEM * (subsystem[gone][:, None] != subsystem[come][None, :])
    ratio = rate[gone, 0][:, None] / rate[come, 1][None, :]
    likeness[(ratio > RATIO) | (ratio < 1 / RATIO)] = -1.0
    if (likeness < ALIKE).all():
        return []
    # scipy loads this part when it is asked for, for 0.1 s; most comparisons do without.
    rows, columns = scipy.optimize.linear_sum_assignment(-likeness)
    return [
        (old, new) if rate[old, 0] < rate[new, 1] else (new, old)
        for old, new, alike in zip(
            gone[rows].tolist(), come[columns].tolist(), likeness[rows, columns], strict=True
        )
        if alike >= ALIKE
    ]


def _summed(codes: Int64, size: int, weights: Float64) -> Float64:
    columns = [np.bincount(codes, weights[:, side], size) for side in (0, 1)]
    return np.stack(columns, axis=1)


def _shares(codes: Int64, beside: Int64, few: Int64, width: int, weight: Float64) -> Float64:
    """Of each of a few functions the shares of the functions beside it: function x function."""
    place = np.full(width, -1)
    place[few] = np.arange(len(few))
    mine = place[codes]
    is_own = mine >= 0
    cells = mine[is_own] * width + beside[is_own]
    weights = np.bincount(cells, weight[is_own], len(few) * width).reshape(len(few), width)
    return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300))


def _overlap(base: Float64, new: Float64) -> Float64:
    return np.array([[np.minimum(one, other).sum() for other in new] for one in base])
