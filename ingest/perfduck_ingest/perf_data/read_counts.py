"""Counts that samples bear (PERF_SAMPLE_READ): of a group sampled as one, `{a,b}:S`.

    cpu-clock 14216.822984881  nr 3  {1013882, id 71, lost 0} {924, id 72, 0} {1155302, id 73, 0}

Only the leader has samples. Each stands for samples of all members: as many events as the member
counted since the sample before, and none where it counted none.
"""

import numpy as np

from perfduck_ingest.perf_data import records
from perfduck_model.arrays import Int64, UInt64


class ReadCounts:
    """Remembers what each id had counted."""

    def __init__(self, ids: UInt64) -> None:
        """`ids` are sorted."""
        self._ids = ids
        self._counts = np.zeros(len(ids), np.uint64)

    def of(
        self, words: UInt64, form: int, starts: Int64, members: Int64
    ) -> tuple[Int64, Int64, Int64]:
        """For each count that is not 0: which reading it is of, which of the ids, and how much.
        Readings of the read format `form` begin at `starts`; ids that nobody knows are left out."""
        indices, owners = _entries(form, starts, members)
        ids = words[indices + _id_behind(form)]
        which = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        known = np.flatnonzero(self._ids[which] == ids)
        which = which[known]
        since = self._since(which, words[indices[known]]).view(np.int64)
        counted = np.flatnonzero(since)
        return owners[known[counted]], which[counted], since[counted]

    def _since(self, which: Int64, counts: UInt64) -> UInt64:
        """What was counted since the reading before of the same id."""
        order = np.argsort(which, kind="stable")
        ids, ordered = which[order], counts[order]
        before = np.roll(ordered, 1)
        begins = np.flatnonzero(np.diff(ids, prepend=-1))
        before[begins] = self._counts[ids[begins]]
        self._counts[ids] = ordered  # the last of each stays
        since = np.empty_like(counts)
        since[order] = ordered - before
        return since


def size(form: int, members: Int64) -> Int64:
    """How many words a reading has: value [enabled] [running] [id] [lost], or a count and that for
    each of a group."""
    return _head(form) + members * _step(form) + (0 if form & records.READ_GROUP else _times(form))


def _entries(form: int, starts: Int64, members: Int64) -> tuple[Int64, Int64]:
    """Where each value is, and which reading it is of."""
    owners = np.repeat(np.arange(len(starts)), members)
    number = np.arange(len(owners)) - np.repeat(np.cumsum(members) - members, members)
    return starts[owners] + _head(form) + number * _step(form), owners


def _head(form: int) -> int:
    return 1 + _times(form) if form & records.READ_GROUP else 0


def _step(form: int) -> int:
    return 1 + (form & (records.READ_ID | records.READ_LOST)).bit_count()


def _id_behind(form: int) -> int:
    return 1 if form & records.READ_GROUP else 1 + _times(form)


def _times(form: int) -> int:
    return (form & (records.READ_ENABLED | records.READ_RUNNING)).bit_count()
