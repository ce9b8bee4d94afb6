"""A store that one process holds, and many of its threads ask at once: what a server has.

Each reader is a connection of its own in a read-only transaction, so that an answer is about one
state of the store while another thread commits. Writers take turns.
"""

import os
import shutil
import time
from collections.abc import Hashable, Iterator, Sized
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Self, TypeVar

import duckdb
from msgspec import Struct

from perfduck_model.errors import PerfduckError
from perfduck_store.duckdb import schema
from perfduck_store.duckdb.file_copy import FileState, copy_file, log_of, written_whole
from perfduck_store.duckdb.schema import named
from perfduck_store.duckdb.store import DuckDbStore, Parameters
from perfduck_store.duckdb.store_file import Engine, StoreIsBusy
from perfduck_store.records import Saved

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

Answer = TypeVar("Answer", bound=Sized)

_LOG_SIZE = "16MB"  # from which on DuckDB moves what was committed into the file, as it does itself
_MOST_ROWS, _MOST_ANSWERS = 10_000, 1000  # that a reader keeps
_TICK_NS = 20_000_000  # times of files are 4 to 10 ms apart
_PLAIN = (bool, bytes, float, int, str)
_INVALIDATED = "has been invalidated"  # in what DuckDB says of every statement from then on


class StoreIsInvalidated(PerfduckError):
    """DuckDB could not write the file, on a full disk for one, and answers nothing of it until
    another process opens it. What was committed is there then."""


class SharedDuckDb:
    """A DuckDB file that this process holds until it is closed."""

    def __init__(self, path: Path, *, memory_mb: int) -> None:
        """Open the file, make it where there is none, and upgrade an older one. `memory_mb`: of all
        statements together. Raises PerfduckError as DuckDbStore."""
        self.path = path
        self.writing = Lock()
        self.changes = 0  # begun and ended, of what others see: odd while one is being committed
        self.invalidated = Event()  # set as soon as StoreIsInvalidated was raised
        self._engine = Engine(path)
        self._keeper = DuckDbStore(path, write=True, engine=self._engine)
        self._keeper.execute(f"set memory_limit = '{memory_mb}MB'")
        self._copies = 0  # that are being made
        # Open as long as the store is: a process that closes any descriptor of a file loses the
        # lock (POSIX) that keeps other processes from it.
        self._file = path.open("rb")

    def read(self) -> "SharedReader":
        """The store as it is now, regardless of what is written until it is closed.
        StoreIsInvalidated, as of `write`."""
        return SharedReader(self.path, self._cursor(), lambda: self.changes)

    def write(self, wait_s: float | None = None) -> "SharedWriter":
        """The store for the one thread that writes; others wait. StoreIsBusy after `wait_s`."""
        if not self.writing.acquire(timeout=-1 if wait_s is None else wait_s):
            message = f"{self.path}: expected a free store within {wait_s:g} s"
            raise StoreIsBusy(message)
        try:
            return SharedWriter(self.path, self._cursor(), self._change, self._written)
        except BaseException:
            self.writing.release()
            raise

    @contextmanager
    def _change(self) -> Iterator[None]:
        """What is done within may change what others see from then on."""
        self.changes += 1
        try:
            yield
        finally:
            self.changes += 1

    def _written(self) -> None:
        try:
            with suppress(StoreIsInvalidated):  # known before anybody judges why a write failed
                self._cursor().close()
        finally:
            self.writing.release()

    def snapshot(self, to: Path) -> None:
        """Write the store as it is now to a new file, while others read and write. DiskIsFull."""
        with written_whole(to):
            self.copy(to)
            if log_of(to).exists():  # what is committed and not yet in the file
                DuckDbStore(to, write=True).close()

    def copy(self, to: Path) -> FileState:
        """Write the file and its log as they are now: `to`, and `to`.wal where something is not in
        the file yet. Who writes waits, where that changes the file meanwhile, for all of it."""
        with self.writing:
            self.checkpoint()
            state = self.file_state()
        with self._without_checkpoints():
            copy_file(self._file.fileno(), to)
            if self.copy_log(to, state):
                return state
        with self.writing:
            self.checkpoint()
            copy_file(self._file.fileno(), to)
            self._copy_log(to)
            return self.file_state()

    def copy_log(self, to: Path, state: FileState) -> bool:
        """Write what was committed since the file had this state beside `to`, a copy of it then.
        False where the file has changed: by a checkpoint, or a commit too large for the log."""
        with self.writing:
            self._copy_log(to)
            return self.file_state() == state

    def _copy_log(self, to: Path) -> None:
        log_of(to).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            shutil.copyfile(log_of(self.path), log_of(to))

    def file_state(self) -> FileState:
        """What changes when DuckDB writes to the file; nobody writes just now."""
        while abs(time.time_ns() - os.fstat(self._file.fileno()).st_mtime_ns) < _TICK_NS:
            time.sleep(_TICK_NS / 1e9)  # of what is written next, the time is another
        state = os.fstat(self._file.fileno())
        return FileState(state.st_mtime_ns, state.st_size)

    @contextmanager
    def _without_checkpoints(self) -> Iterator[None]:
        """What is committed within is in the log alone."""
        self._hold_checkpoints(1)
        try:
            yield
        finally:
            self._hold_checkpoints(-1)

    def _hold_checkpoints(self, more: int) -> None:
        with self.writing:
            self._copies += more
            size = "1TB" if self._copies else _LOG_SIZE
            self._keeper.execute(f"set checkpoint_threshold = '{size}'")

    def requires_tokens(self) -> bool:
        """Whether the store has been served with tokens."""
        with self.read() as store:
            return bool(store.rows(named("requires_tokens"))[0][0])

    def require_tokens(self) -> None:
        """Keep in the store that it is served with tokens alone."""
        with self.write() as store:
            store.execute(named("require_tokens"))

    def close(self) -> None:
        """Let other processes have the store."""
        self._keeper.close()
        self._engine.close()
        self._file.close()

    def checkpoint(self) -> None:
        """Move what was committed into the file, unless somebody reads an older state."""
        with suppress(duckdb.TransactionException):
            self._keeper.execute("checkpoint store")

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        cursor = self._engine.connection().cursor()
        try:
            cursor.execute("set enable_progress_bar = false; use store")
        except duckdb.Error as error:
            cursor.close()
            if not isinstance(error, duckdb.FatalException) and _INVALIDATED not in str(error):
                raise
            self.invalidated.set()
            reason = str(error).splitlines()[0]
            message = f"{self.path}: expected a store that can be written, got: {reason}"
            raise StoreIsInvalidated(message) from error
        return cursor


class SharedStore(DuckDbStore):
    """A connection to a store that this process holds."""

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self._shared = connection
        super().__init__(path, write=True)

    def close(self) -> None:
        """Close the connection, and undo what was not committed."""
        self._connection.close()

    def close_and_compact(self) -> Saved | None:
        """Close the connection. The file is not copied while others read it: space that became
        free is used again."""
        self.close()
        return None

    def make_room(self, stacks: int) -> None:
        """All connections share one limit of memory, which is set at the start."""

    def _check_file(self, *, is_made: bool) -> None:
        """It is open, and to look into the file would let other processes have it."""

    def _open(self, *, write: bool, wait_s: float | None) -> None:
        """Whoever holds the store has upgraded it."""
        self._connection, self._version = self._shared, schema.SCHEMA_VERSION


class SharedReader(SharedStore):
    """One state of the store. `state`: the number of changes it is after, None where one was being
    committed just then. What was asked before is answered from memory."""

    def __init__(
        self, path: Path, connection: duckdb.DuckDBPyConnection, changes: "Callable[[], int]"
    ) -> None:
        super().__init__(path, connection)
        self._answers: dict[Hashable, Any] = {}
        before = changes()
        super().rows("begin transaction read only")
        super().rows("select schema_version from meta")  # DuckDB takes the state now
        self.state = before if before == changes() and before % 2 == 0 else None
        self._uses = 0

    def __enter__(self) -> Self:
        self._uses += 1
        return self

    def __exit__(self, *error: object) -> None:
        """Close the connection with the outermost `with`."""
        self._uses -= 1
        if not self._uses:
            self.close()

    def execute(self, sql: str, parameters: Parameters = None) -> None:
        """Run a statement for its effect: temporary views and variables."""
        super().rows(sql, parameters)

    def rows(self, sql: str, parameters: Parameters = None) -> list[tuple[Any, ...]]:
        """The answer as tuples."""
        return list(self._once(super().rows, sql, parameters))

    def frame(self, sql: str, parameters: Parameters = None) -> "pl.DataFrame":
        """The answer as columns."""
        return self._once(super().frame, sql, parameters).clone()

    def _once(
        self, ask: "Callable[[str, Parameters], Answer]", sql: str, parameters: Parameters
    ) -> "Answer":
        """The answer, from memory where it was asked before. Of the state of the connection, it
        depends on the picked samples alone."""
        if not is_plain((parameters, self.picked)):
            return ask(sql, parameters)
        key = (ask.__name__, sql, repr(parameters), repr(self.picked))
        answer: Answer | None = self._answers.get(key)
        if answer is None:
            answer = ask(sql, parameters)
            if len(answer) <= _MOST_ROWS and len(self._answers) < _MOST_ANSWERS:
                self._answers[key] = answer
        return answer


def is_plain(value: object) -> bool:
    """Whether repr(value) says all of it: that of an array or a frame leaves out what is long."""
    if value is None or type(value) in _PLAIN:
        return True
    if isinstance(value, tuple | list):
        return all(map(is_plain, value))
    if isinstance(value, dict):
        return all(map(is_plain, value.items()))
    if isinstance(value, Struct):
        return all(is_plain(getattr(value, name)) for name in value.__struct_fields__)
    return False


class SharedWriter(SharedStore):
    """The store for the one thread that writes."""

    def __init__(
        self,
        path: Path,
        connection: duckdb.DuckDBPyConnection,
        change: "Callable[[], AbstractContextManager[None]]",
        on_close: "Callable[[], object]",
    ) -> None:
        """`change` is entered for what others may see from then on. `on_close` is called once,
        when the connection has been closed."""
        self._change, self._on_close = change, on_close
        self._is_closed = self._has_begun = False
        super().__init__(path, connection)

    def close(self) -> None:
        """Close the connection, and undo what was not committed."""
        if not self._is_closed:
            self._is_closed = True
            super().close()
            self._on_close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written within is there as a whole, or after an exception not at all."""
        self._has_begun = True  # until the commit nobody sees any of it
        try:
            with super().transaction():
                yield
        finally:
            self._has_begun = False

    def _commit(self) -> None:
        self._has_begun = False
        super()._commit()

    @contextmanager
    def _held(self, sql: str = "") -> Iterator[None]:
        with nullcontext() if self._has_begun else self._change(), super()._held(sql):
            yield
