"""The network namespace of each thread as a recording of `perf record --namespaces` goes on.

The kernel writes NAMESPACES of every new thread (kernel/events/core.c: perf_event_fork) and where
one changes its own, by unshare or setns; perf writes those of threads that ran before. So nothing
is inherited: a thread is where its last record says. Idle threads (tid 0) have no record.
"""

import numpy as np
from msgspec import Struct

from perfduck_model.arrays import Bool, Int64
from perfduck_symbols.intervals import last_change

NET = 0  # linux/perf_event.h: NET_NS_INDEX
UNKNOWN = 0  # no namespace has this inode: perf writes it where it may not look
_MOST_THREADS = 1 << 22  # /proc/sys/kernel/pid_max is at most this


class NamespaceChanges(Struct, frozen=True):
    """Threads come into a network namespace; in the order of `at`."""

    at: Int64  # ns, or how many samples are before it
    threads: Int64
    inodes: Int64

    @classmethod
    def of(cls, rows: list[tuple[int, int, int]]) -> "NamespaceChanges":
        """Of (at, thread, inode)."""
        return cls(*np.array(rows, np.int64).reshape(-1, 3).T)

    def __len__(self) -> int:
        """How many."""
        return len(self.at)


class NetworkNamespaces:
    """Those of all threads, moving forward in time."""

    def __init__(self) -> None:
        """Nothing is known of any thread."""
        self._inodes = np.zeros(_MOST_THREADS, np.int64)  # UNKNOWN; pages that nobody wrote
        self.are_known = False

    def advance(self, changes: NamespaceChanges, tid: Int64, at: Int64) -> Int64:
        """The inode of each sample's namespace, UNKNOWN where nothing said it, given its thread and
        when it is; what is at the same time as a change comes behind it. Samples of later calls are
        later than all of these changes."""
        self.are_known |= len(changes) > 0
        if not self.are_known:
            return np.full(len(tid), UNKNOWN)
        threads, inodes = changes.threads, changes.inodes
        last = last_change(
            np.where(_has_place(threads), threads, -1),
            tid,
            np.searchsorted(changes.at, at, "right"),
        )
        before = np.where(_has_place(tid), self._inodes.take(tid, mode="clip"), UNKNOWN)
        self._inodes[threads[_has_place(threads)]] = inodes[_has_place(threads)]
        return np.where(last < 0, before, np.append(inodes, UNKNOWN)[last])


def _has_place(threads: Int64) -> Bool:
    return (threads >= 0) & (threads < _MOST_THREADS)
