"""One function in the middle: who calls it, above, and what it calls, below.

    do_syscall_64        handle_softirqs       callers: a tree that grows from the function up
           nf_hook_slow
    nf_conntrack_in      nf_nat_inet_fn        callees: a tree that grows from it down

Every stack with the function counts once, at the outermost frame that is it, in both trees. Call
chains are whole: not cut at entries, as the trees of a diff are.
"""

from dataclasses import dataclass

import numpy as np

from perfduck_diff.engine.flame import Flame, drawn, mean_sides
from perfduck_diff.engine.rates import Per
from perfduck_diff.engine.run_matrix import RunMatrix
from perfduck_diff.engine.stacks import Stacks
from perfduck_model.arrays import Bool, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandwich:
    """Both trees, each with the function as the one child of its root, and what all of the runs
    costs: (base, new) in the unit of the trees."""

    function: str
    callers: Flame
    callees: Flame
    whole: tuple[float, float]


def sandwich(
    runs: RunMatrix, base: Int64, new: Int64, function: str, per: Per | None = None
) -> Sandwich:
    """The callers and callees of the functions of this name; `base` may be empty. Both trees are
    empty where no stack of the runs has it."""
    stacks = runs.stacks.collapsed()
    is_function = np.array([frame.name == function for frame in runs.frames], dtype=np.bool_)
    met = _outermost(stacks, is_function[stacks.codes])
    sides = mean_sides(runs, base, new, per)
    base_all, new_all = sides.sum(axis=0).tolist()
    is_met = met >= 0
    costs = np.where(is_met[:, None], sides, 0.0)
    start = np.where(is_met, met, stacks.stop)  # an empty chain where it is not
    below = Stacks(stacks.codes, start, stacks.stop)
    above = _reversed(Stacks(stacks.codes, np.where(is_met, stacks.start, start), start + is_met))
    callers, callees = (
        drawn(runs, each, runs.frames, costs, "path", per) for each in (above, below)
    )
    return Sandwich(function=function, callers=callers, callees=callees, whole=(base_all, new_all))


def _outermost(stacks: Stacks, is_asked: Bool) -> Int64:
    """Where in `codes` the first frame is that was asked for, per chain; -1 without one."""
    places = np.flatnonzero(is_asked)
    if not len(places):
        return np.full(stacks.size, -1)
    first = places[np.minimum(np.searchsorted(places, stacks.start), len(places) - 1)]
    is_own = (first >= stacks.start) & (first < stacks.stop)
    return np.where(is_own, first, -1)


def _reversed(stacks: Stacks) -> Stacks:
    """Every chain from its last frame to its first."""
    size = len(stacks.codes)
    return Stacks(stacks.codes[::-1].copy(), size - stacks.stop, size - stacks.start)
