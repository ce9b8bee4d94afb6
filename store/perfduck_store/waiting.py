"""What a process does with stores: how long it waits for one that another process has open, what it
says meanwhile, and which of its statements can be stopped from another thread.

duckdb looks for signals while its own thread waits for others; a sort, a commit or a task of its
own keeps it from that for as long as they take. An interrupt is heard by all of its threads.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakSet

_QUIET_S = 1.0
_POLL_S = 0.05


@dataclass(slots=True)
class Waiting:
    """The settings of this process; `say` takes a line after a second, once for each wait."""

    limit_s: float = 30.0
    say: Callable[[str], object] = lambda line: None


# A command line sets it before it opens a store.
waiting = Waiting()


class Wait:
    """One wait for a store."""

    def __init__(self, limit_s: float | None) -> None:
        self.limit_s = waiting.limit_s if limit_s is None else limit_s
        self._started = time.monotonic()
        self._has_said = False

    def goes_on(self, reason: str) -> bool:
        """Wait a moment for whoever holds the store, as `reason` says; False where that took too
        long."""
        waited = time.monotonic() - self._started
        if waited > self.limit_s:
            return False
        if waited > _QUIET_S and not self._has_said:
            self._has_said = True
            waiting.say(f"waiting for the store: {reason}")
        time.sleep(_POLL_S)
        return True


class Interruptible(Protocol):
    """What runs statements."""

    def interrupt(self) -> None:
        """Stop the statement that runs now, from any thread."""


_open: WeakSet[Interruptible] = WeakSet()


def opened(store: Interruptible) -> None:
    """Statements of this one are to be stopped too."""
    _open.add(store)


def interrupt_all() -> None:
    """Stop every statement that runs now. Whoever runs it gets a KeyboardInterrupt."""
    for store in list(_open):
        with suppress(Exception):  # closed meanwhile
            store.interrupt()
