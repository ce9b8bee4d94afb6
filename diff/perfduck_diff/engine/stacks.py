"""Call chains as three flat columns, so that a million frames are cut and mapped in one step.

codes  [ 4 7 9 | 4 7 | 2 9 9 ]    root first; a code is a row of the frame table
start  [ 0       3     5     ]
stop   [ 3       5     8     ]
"""

import re
from dataclasses import dataclass, replace

import numpy as np

from perfduck_model.arrays import Bool, Int32, Int64
from perfduck_tags.entries import INTERRUPTS, SOFTIRQ_LOOPS, SYSTEM_CALLS

_EXCEPTIONS = r"(?:asm_)?exc_\w+|(?:async_)?page_fault|el[01]\w*_sync"
_ENTRY = re.compile(
    "|".join(
        [*SOFTIRQ_LOOPS, INTERRUPTS, _EXCEPTIONS, SYSTEM_CALLS, "kthread", r"ret_from_fork\w*"]
    )
)


def is_entry(name: str) -> bool:
    """Whether a kernel function starts work of its own: softirq, irq, system call, kthread."""
    return _ENTRY.fullmatch(name) is not None


_WAKEUP = re.compile(
    r"""
    (?: \w*wake_?up\w* | ttwu_\w+ | swake_up\w* | complete(?:_all)?    # waking a task
      | sock_def_(?:readable|write_space) | sk_stream_write_space       # a socket's waiters
      | ep_poll_callback | pollwake
      | __?schedule | schedule_\w+ | finish_task_switch | resched_curr  # changing tasks
      | exit_to_user_mode_loop | do_nanosleep | futex_wa\w+
      | do_select | do_sys_poll | do_epoll_wait | ep_send_events )      # looking for work
    """,
    re.VERBOSE,
)
_BACKGROUND = re.compile(r"kthread|ret_from_fork\w*|cpu_startup_entry|do_idle|common_startup_64")


def is_wakeup(name: str) -> bool:
    """Whether a kernel function wakes, sleeps, polls or changes tasks: expensive by chance."""
    return _WAKEUP.fullmatch(name) is not None


def is_background(name: str) -> bool:
    """Whether a rerooted stack that begins with this kernel function is nobody's work."""
    return _BACKGROUND.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Stacks:
    """Call chains, root first. An empty chain is allowed."""

    codes: Int32
    start: Int64
    stop: Int64

    @property
    def size(self) -> int:
        """How many chains."""
        return len(self.start)

    @property
    def length(self) -> Int64:
        """Frames of each chain."""
        return self.stop - self.start

    @classmethod
    def of(cls, chains: list[list[int]]) -> "Stacks":
        """From lists of codes, root first."""
        length = np.array([len(chain) for chain in chains], dtype=np.int64)
        codes = np.array([code for chain in chains for code in chain], dtype=np.int32)
        stop = np.cumsum(length)
        return cls(codes, stop - length, stop)

    def chain(self, index: int) -> Int32:
        """The codes of one chain."""
        return self.codes[self.start[index] : self.stop[index]]

    def rerooted(self, entry: Bool) -> "Stacks":
        """Cut at the innermost frame for which `entry[code]` holds; without one, left whole."""
        entries = np.flatnonzero(entry[self.codes])
        if not len(entries):
            return self
        # the last entry before the chain's stop, if it is the chain's own
        last = entries[np.maximum(np.searchsorted(entries, self.stop) - 1, 0)]
        own = (last >= self.start) & (last < self.stop)
        return replace(self, start=np.where(own, last, self.start))

    def mapped(self, table: Int32) -> "Stacks":
        """Codes replaced by `table[code]`; those below zero are dropped, runs of equals are one."""
        codes = table[self.codes]
        return replace(self, codes=codes)._without(codes < 0).collapsed()

    def collapsed(self) -> "Stacks":
        """A function that calls itself is one frame."""
        same = np.zeros(len(self.codes), dtype=np.bool_)
        same[1:] = self.codes[1:] == self.codes[:-1]
        same[self.start[self.length > 0]] = False
        return self._without(same)

    def _without(self, gone: Bool) -> "Stacks":
        at = np.flatnonzero(gone)
        if not len(at):
            return self
        start, stop = (ends - np.searchsorted(at, ends) for ends in (self.start, self.stop))
        return Stacks(self.codes[~gone], start, stop)

    def any(self, flag: Bool) -> Bool:
        """Whether `flag[code]` holds for any frame, per chain."""
        places = np.flatnonzero(flag[self.codes])
        return np.asarray(np.searchsorted(places, self.stop) > np.searchsorted(places, self.start))

    def ends(self, *, leaf: bool) -> Int64:
        """The code of every chain's leaf, or of its root; -1 for an empty chain."""
        at = self.stop - 1 if leaf else self.start
        if not len(self.codes):
            return np.full(self.size, -1)
        codes = self.codes[np.minimum(at, len(self.codes) - 1)].astype(np.int64)
        return np.where(self.length > 0, codes, -1)

    def flat(self) -> tuple[Int64, Int64]:
        """Chain number and code of every frame, chain by chain, root first."""
        length = self.length
        owner = np.repeat(np.arange(self.size), length)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length)
        return owner, self.codes[self.start[owner] + within].astype(np.int64)

    def distinct(self) -> tuple[Int64, Int64]:
        """Chain number and code of every code that a chain has, recursion once."""
        owner, codes = self.flat()
        width = int(self.codes.max(initial=0)) + 1
        both = np.unique(owner * width + codes)
        return both // width, both % width

    def rewritten(self, rows: Int64, chains: list[list[int]]) -> "Stacks":
        """With other chains for some of them, root first."""
        own = Stacks.of(chains)
        start, stop = self.start.copy(), self.stop.copy()
        start[rows], stop[rows] = own.start + len(self.codes), own.stop + len(self.codes)
        return Stacks(np.concatenate([self.codes, own.codes]), start, stop)
