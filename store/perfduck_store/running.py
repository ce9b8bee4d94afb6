"""The statements that run in this process, to be stopped from another thread.

duckdb looks for signals while its own thread waits for others; a sort, a commit or a task of its
own keeps it from that for as long as they take. An interrupt is heard by all of its threads.
"""

from contextlib import suppress
from typing import Protocol
from weakref import WeakSet


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
