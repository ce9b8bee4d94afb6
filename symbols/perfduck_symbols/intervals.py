"""Which interval a number is in: symbols and mappings by address, changes by time.

[10, 100)  [20, 30)        5 -> -1    25 -> 1    40 -> 0    100 -> -1
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np

from perfduck_model.arrays import Int64, UInt64

Values = TypeVar("Values", bound=UInt64)


@dataclass(frozen=True)
class Intervals(Generic[Values]):
    """[start, end), sorted by start; they may be nested or overlap."""

    starts: Values
    ends: UInt64

    def find(self, values: Values) -> Int64:
        """The index of the interval that each value is in, of several the last one; -1 where there
        is none."""
        if not len(self.starts):
            return np.full(len(values), -1, np.int64)
        last = np.searchsorted(self.starts, values, "right") - 1
        inside = (last >= 0) & (values < self.ends[last])
        indices = np.where(inside, last, -1)
        in_outer = ~inside & (last >= 0) & (values < self._reach[last])
        for at in np.flatnonzero(in_outer).tolist():  # few: behind an interval within another one
            indices[at] = np.flatnonzero(self.ends[: last[at]] > values[at])[-1]
        return indices

    @cached_property
    def _reach(self) -> UInt64:
        """The greatest end of the intervals up to each."""
        return np.maximum.accumulate(self.ends)


@dataclass(frozen=True, slots=True)
class GroupedIntervals:
    """The intervals of several groups, one group behind the other. Those of a group are sorted by
    start and do not overlap."""

    groups: Int64  # sorted
    counts: Int64  # intervals of each group
    starts: UInt64
    ends: UInt64

    def find(self, values: UInt64, groups: Int64) -> Int64:
        """The index of the interval of its group that each value is in; -1 where there is none."""
        if not len(self.starts):
            return np.full(len(values), -1, np.int64)
        rank = np.minimum(np.searchsorted(self.groups, groups), len(self.groups) - 1)
        owner = np.repeat(np.arange(len(self.counts)), self.counts)
        # (owner, start) as one number: starts become their places among all starts.
        ordered, place = np.unique(self.starts, return_inverse=True)
        width = len(ordered) + 1
        places = rank * width + np.searchsorted(ordered, values, "right")
        last = np.searchsorted(owner * width + place + 1, places, "right") - 1
        inside = (last >= 0) & (owner[last] == rank) & (values < self.ends[last])
        return np.where(inside & (self.groups[rank] == groups), last, -1)


def last_change(changed: Int64, number: Int64, rank: Int64) -> Int64:
    """For each (number, rank) the last of the first `rank` changes that are of this number; -1
    where none is. `changed` has the number of each change, -1 for one that does not count."""
    which = np.flatnonzero(changed >= 0)
    starts = np.sort(changed[which] << 32 | which + 1)
    ends = (starts >> 32) + 1 << 32  # behind the last rank of the number
    index = Intervals(starts.view(np.uint64), ends.view(np.uint64)).find(
        (number << 32 | rank).view(np.uint64)
    )
    return np.append((starts & 0xFFFFFFFF) - 1, -1)[index]
