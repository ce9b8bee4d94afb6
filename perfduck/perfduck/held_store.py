"""A store that this process holds for as long as it runs, for many threads: what a server has."""

from pathlib import Path
from typing import TYPE_CHECKING

from perfduck_store.duckdb.shared import SharedDuckDb

if TYPE_CHECKING:
    from perfduck.opening import Ingesting
    from perfduck_store.duckdb.shared import SharedStore


class HeldStore:
    """A place of a store as `ProfileStore` takes it: readers see one state each, writers take
    turns, no other process can open the file."""

    wait_s: float | None = None

    def __init__(self, path: Path, *, memory_mb: int) -> None:
        """Open the store, make it where there is none. `memory_mb`: of all that is asked at a time.
        PerfduckError where it cannot be opened."""
        self.path = path
        self.shared = SharedDuckDb(path, memory_mb=memory_mb)

    def __str__(self) -> str:
        return str(self.path)

    def read(self) -> "SharedStore":
        """The store as it is now."""
        return self.shared.read()

    def write(self, *, create: bool = False, wait_s: float | None = None) -> "SharedStore":
        """The store, for one thread at a time; it is there, so `create` asks for nothing.
        StoreIsBusy where another thread writes for longer than `wait_s`."""
        return self.shared.write(wait_s)

    def ingestion(self, spool: Path | None = None) -> "Ingesting":
        """Recordings are read into a store of their own, by another process, and merged."""
        raise NotImplementedError

    def snapshot(self, to: Path) -> None:
        """Write the store as it is now to a new file; readers and this process go on meanwhile."""
        self.shared.snapshot(to)

    def close(self) -> None:
        """Let other processes have the store."""
        self.shared.close()
