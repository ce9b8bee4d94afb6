"""Which change of a thread or process was the last one before a sample."""

import numpy as np

from perfduck_model.arrays import Int64
from perfduck_symbols.intervals import Intervals


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
