"""A store that this process holds for as long as it runs, for many threads: what a server has."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from perfduck import parts
from perfduck.opening import refuse_spool
from perfduck_store.duckdb import sql_process
from perfduck_store.duckdb.extract import extract
from perfduck_store.duckdb.shared import SharedDuckDb

if TYPE_CHECKING:
    from perfduck.ingestion import IngestRequest, Progress
    from perfduck.opening import Ingesting
    from perfduck_store.duckdb.shared import SharedReader, SharedStore
    from perfduck_store.recording import Receipt

_SQL_NICENESS = 10  # a tenth of the CPU time of a thread that answers requests


class HeldStore:
    """A place of a store as `ProfileStore` takes it: readers see one state each, writers take
    turns, no other process can open the file."""

    wait_s: float | None = None

    def __init__(self, path: Path, *, memory_mb: int) -> None:
        """Open the store, make it where there is none. `memory_mb`: of all that is asked at a time.
        PerfduckError where it cannot be opened."""
        sql_process.niceness = _SQL_NICENESS
        self.path = path
        self.shared = SharedDuckDb(path, memory_mb=memory_mb)

    def __str__(self) -> str:
        return str(self.path)

    def is_there(self) -> bool:
        """It is open."""
        return True

    def read(self) -> "SharedReader":
        """The store as it is now."""
        return self.shared.read()

    @contextmanager
    def one_state(self) -> "Iterator[OneState]":
        """The same place, all readers of which see the store as it is now."""
        with self.read() as store:
            yield OneState(self, store)

    def write(self, *, create: bool = False, wait_s: float | None = None) -> "SharedStore":
        """The store, for one thread at a time; it is there, so `create` asks for nothing.
        StoreIsBusy where another thread writes for longer than `wait_s`."""
        return self.shared.write(wait_s)

    def ingestion(self, spool: Path | None = None) -> "Ingesting":
        """What reads recordings in this process, one after the other. PerfduckError for a `spool`:
        nothing is sent."""
        refuse_spool(spool, self.path)
        return HeldIngestion(self)

    def snapshot(self, to: Path) -> None:
        """Write the store as it is now to a new file; readers and writers go on meanwhile."""
        self.shared.snapshot(to)

    def extract(self, profiles: Iterable[int], to: Path) -> None:
        """Write some recordings, with what is of none, to a new store. DiskIsFull."""
        with self.read() as store:
            extract(store, profiles, to)

    def close(self) -> None:
        """Let other processes have the store."""
        self.shared.close()


class OneState:
    """A place whose readers all see one state of a store, until HeldStore.one_state ends."""

    wait_s: float | None = None

    def __init__(self, place: HeldStore, store: "SharedReader") -> None:
        self._place, self._store = place, store

    def __str__(self) -> str:
        return str(self._place)

    @property
    def state(self) -> int | None:
        """As of SharedReader."""
        return self._store.state

    def is_there(self) -> bool:
        """It is open."""
        return True

    def read(self) -> "SharedReader":
        """The one state, for one thread at a time, who uses it by `with`."""
        return self._store

    def write(self, *, create: bool = False) -> "SharedStore":
        """As of the held store; readers do not see what is written."""
        return self._place.write(create=create)

    def ingestion(self, spool: Path | None = None) -> "Ingesting":
        """As of the held store."""
        return self._place.ingestion(spool)


class HeldIngestion:
    """Recordings on their way into a held store: see perfduck.ingestion."""

    def __init__(self, place: HeldStore) -> None:
        self._place = place

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open between two recordings."""

    def check(self, requests: "Iterable[IngestRequest]", note: Callable[[str], object]) -> None:
        """Raise PerfduckError for what would fail at the commit; `note` takes what may fail."""
        with self._place.read() as store:
            parts.ingestion.check_names(store, requests, note)

    def ingest(self, request: "IngestRequest", progress: "Progress | None" = None) -> "Receipt":
        """Read the recording, and store it; other writers wait for both."""
        with self._place.write() as store:
            return parts.ingestion.ingest(store, request, progress)

    def ingest_pair(self, requests: "Sequence[IngestRequest]") -> "list[Receipt]":
        """Read recordings, then store them in one transaction."""
        ingestion, folder = parts.ingestion, self._place.path.parent
        return ingestion.ingest_pair(self._place.write, folder, requests, ingestion.Annotators())
