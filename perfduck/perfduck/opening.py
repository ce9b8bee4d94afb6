"""Which store is meant, and how long to wait for it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perfduck import parts
from perfduck_store.running import interrupt_all as interrupt_all
from perfduck_store.waiting import waiting

if TYPE_CHECKING:  # DuckDB is loaded when a store is opened
    from perfduck_store.protocol import Store


@dataclass(frozen=True, slots=True)
class StoreFile:
    """A DuckDB file that is opened for each question, so that other processes can write between."""

    path: Path
    wait_s: float | None = None  # None: as this process is set

    def read(self) -> "Store":
        """The store, open to read. PerfduckError where there is none, or another process writes it
        for longer than `wait_s`."""
        return parts.store.DuckDbStore(self.path, wait_s=self.wait_s)

    def write(self, *, create: bool = False) -> "Store":
        """The store, open to write; `create` it where there is none."""
        return parts.store.DuckDbStore(self.path, write=True, wait_s=self.wait_s, create=create)


def be_patient(limit_s: float, say: Callable[[str], object]) -> None:
    """For all stores of this process that are opened without `wait_s`: how long to wait for another
    process that has one open. `say` takes a line after a second, once for each wait."""
    waiting.limit_s, waiting.say = limit_s, say
