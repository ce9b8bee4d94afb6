"""An exact test of pairs that were recorded in random order.

Where nothing differs between two commands, chance alone made one run of a pair base and the other
new: with n pairs each of the 2^n ways to assign them was as likely as the one that was drawn. So p
is the part of these ways in which as much growth shows, or more: right for any noise, with bursts,
drift or heavy tails (Fisher 1935; Pitman 1937, doi:10.2307/2984124). To assign a pair the other way
is to flip the sign of its difference:

    pair   1      2      3      4      5
    d    +.20   +.11   +.31   +.02   +.18      no other signs have that sum: p = 1 / 32

From 15 pairs on the ways are a subgroup of 2^14: p is exact over a subgroup as well (Hemerik and
Goeman 2018, doi:10.1007/s11749-017-0571-1).

A difference is (new - base) / (new + base): about half the log of their ratio, known where one is
0, and no burst makes it more than 1. Growth shows in the total as measured, or in the path that
grew most surely, after what all paths of a run share is taken off. A flip turns all of it at once,
so the largest statistic of all paths, and the smaller p of paths and total, are tested like any
other statistic (Westfall and Young 1993). Nothing that is asked here may depend on which side is
which: the tree is grown without alignment, and factors are about the mean of all runs.
"""

import numpy as np

from perfduck_diff.engine.comparison import Comparison, unaligned
from perfduck_diff.engine.noise import USUAL_SPREAD
from perfduck_diff.engine.result import ExactTest
from perfduck_diff.engine.shared import of_runs
from perfduck_diff.engine.tree import grow
from perfduck_model.arrays import Float64, Int64

MOST_BITS = 14  # all flips of so many pairs: 16,384
_SEED = 18  # of the subgroup, which must not depend on the data
_AT_ONCE = 2048  # flips: 16 MB for 1,000 paths
_TIED = 1e-9  # sums that differ by less are equal


def flips(pairs: int) -> int:
    """How many assignments p is counted over: the smallest p is one of them."""
    return 1 << min(pairs, MOST_BITS)


def least_pairs(level: float) -> int:
    """So many pairs can have a p of `level` or less. ValueError where none can."""
    if level * flips(MOST_BITS) < 1:
        message = f"expected a level of {1 / flips(MOST_BITS):g} or more, got {level}"
        raise ValueError(message)
    return next(pairs for pairs in range(1, MOST_BITS + 1) if level * flips(pairs) >= 1)


def signs(pairs: int) -> Float64:
    """1 and -1, flip x pair; the first row flips none."""
    free = min(pairs, MOST_BITS)
    bits = np.arange(1 << free)[:, None] >> np.arange(free) & 1
    mixed = np.random.default_rng(_SEED).integers(0, 2, (free, pairs - free))
    return np.asarray(1.0 - 2.0 * np.concatenate([bits, bits @ mixed % 2], axis=1))


def exact_test(work: Comparison, level: float) -> ExactTest:
    """The test of the total and of all paths together, at a level."""
    base, new = work.design.sides
    total = work.raw.sum(axis=0)
    growth, shrinkage = p_of_either(relative(total[base], total[new]), _paths(work))
    _, excess = p_of((1 + work.options.tolerance) * total[base], total[new])
    return ExactTest(
        pairs=len(base),
        flips=flips(len(base)),
        level=level,
        growth=growth,
        shrinkage=shrinkage,
        excess=excess,
    )


def p_of(base: Float64, new: Float64) -> tuple[float, float]:
    """p of growth and of shrinkage of one amount, from `base` to `new`, pair by pair."""
    sums = signs(len(base)) @ relative(base, new)
    growth, shrinkage = (float(_above(side)[0] / len(sums)) for side in (sums, -sums))
    return growth, shrinkage


def p_of_either(total: Float64, paths: Float64) -> tuple[float, float]:
    """p of growth and of shrinkage of the total or any path, from their differences in each pair:
    of paths `standardised`, path x pair."""
    flipped = signs(len(total))
    sums, (least, most) = flipped @ total, _extremes(flipped, paths)
    return _smaller(sums, most), _smaller(-sums, -least)


def relative(base: Float64, new: Float64) -> Float64:
    """(new - base) / (new + base); 0 where both are 0."""
    both = new + base
    return np.asarray(np.divide(new - base, both, out=np.zeros_like(both), where=both > 0))


def standardised(delta: Float64, samples: Float64) -> Float64:
    """Relative differences over their root mean square, path x pair: their sum is t, but for its
    scale. What `samples` a run, of either side, and usual runs differ by is added to the square, so
    that paths of few samples are not sure of anything."""
    expected = 1 / (2 * samples) + USUAL_SPREAD**2 / 2
    return np.asarray(delta / np.sqrt((delta**2).mean(axis=1) + expected)[:, None])


def _paths(work: Comparison) -> Float64:
    """The differences of all paths with enough samples, standardised."""
    hits = work.runs.hits.sum(axis=1)
    tree = grow(unaligned(work.runs, work.options.tree), hits, work.least * len(work.runs.runs))
    samples = tree.inclusive(work.runs.hits).mean(axis=1)
    tested = samples >= work.least
    factor = of_runs(tree.own(work.raw), work.plain.design.grain)
    rates = tree.inclusive(work.raw / factor)[tested]
    base, new = work.design.sides
    return standardised(relative(rates[:, base], rates[:, new]), samples[tested])


def _extremes(flipped: Float64, paths: Float64) -> tuple[Float64, Float64]:
    """The smallest and the largest sum of all paths, per flip."""
    if not len(paths):
        return np.zeros(len(flipped)), np.zeros(len(flipped))
    least, most = np.empty(len(flipped)), np.empty(len(flipped))
    for start in range(0, len(flipped), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        sums = flipped[part] @ paths.T
        least[part], most[part] = sums.min(axis=1), sums.max(axis=1)
    return least, most


def _smaller(one: Float64, other: Float64) -> float:
    """p of the smaller of two p, from the sums of each flip."""
    smaller = np.minimum(_above(one), _above(other))
    return float((smaller <= smaller[0]).mean())


def _above(sums: Float64) -> Int64:
    """How many flips have as much or more, per flip."""
    ordered = np.sort(sums)
    return np.asarray(len(sums) - np.searchsorted(ordered, sums - _TIED))
