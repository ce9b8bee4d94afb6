"""The file of a store: what it may be, said before DuckDB sees it, what DuckDB says of one that is
damaged, and how it is connected to. A process waits while another writes, says so, and in the end
who holds the store.

DuckDB takes names such as `md:x`, `postgres:x`, `http://x` and SQLite files for databases of other
kinds, and asks the network for an extension that reads them; `:memory:` would keep nothing.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits
from perfduck_model.special_files import what_is
from perfduck_store import serving
from perfduck_store.waiting import Wait

# No extension is fetched or loaded; user_sql.py turns off all other files while a query runs.
FENCED: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}
_PREFIX = re.compile(r"[a-z][\w+.-]*:|:memory:", re.IGNORECASE)
_LONGEST_NAME = 255 - len(".compact")  # other files beside the store have endings
_MAGIC_AT, _MAGIC = 8, b"DUCK"  # behind the checksum of the first header
_OTHERS = {b"SQLite format 3\x00": "a SQLite database", b"PAR1": "a Parquet file"}
# What DuckDB raises of bytes that are not what it wrote; what a query of ours gets wrong is another
# class (binder, catalog, conversion) and a bug.
_DAMAGE = (
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.IOException,
    duckdb.SerializationException,
    UnicodeDecodeError,
)
# duckdb 1.5 reads a store that 2.0 made with this setting; size and speed are the same.
_STORAGE_VERSION = "v1.5.0"
# Half of what duckdb takes. Whole groups go to disk while rows are inserted, the rest at the
# commit, by one thread. A quarter costs 12.3 bytes a sample in place of 9.5.
ROWS_A_GROUP = 61_440
_HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.*?) \(PID (?P<pid>\d+)\)")


class StoreIsBusy(PerfduckError):
    """Another process has had the store open for as long as this one would wait."""


class Engine:
    """A DuckDB for a store that is opened to write several times, and held by nobody in between: to
    start one takes 0.02 s, to attach a file 0.002 s."""

    def __init__(self, path: Path) -> None:
        """Of the store at this path; start nothing yet."""
        self._path = path
        self._connection: duckdb.DuckDBPyConnection | None = None

    def connection(self) -> duckdb.DuckDBPyConnection:
        """The one connection, with no store attached."""
        if self._connection is None:
            config = FENCED | {
                "storage_compatibility_version": _STORAGE_VERSION,
                "temp_directory": f"{self._path}.tmp",
            }
            self._connection = _quiet(duckdb.connect(config=config))
        return self._connection

    def detach(self) -> None:
        """Let other processes have the store."""
        try:
            self.connection().execute("use memory; detach store")
        except duckdb.Error:  # damaged, or within a transaction
            self.close()

    def close(self) -> None:
        """End it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def check(path: Path) -> None:
    """Raise PerfduckError where the path is not that of a DuckDB file, or of one to be made."""
    if _PREFIX.match(str(path)):
        raise PerfduckError.at(
            path, expected=f"the path of a store (./{path} if it is one)", got="a prefix"
        )
    if kind := _other_kind(path):
        raise PerfduckError.at(path, expected="a store", got=kind)
    if any("\ud800" <= each <= "\udfff" for each in str(path)):  # as Python has other bytes
        raise PerfduckError.at(path, expected="a path in UTF-8", got="other bytes")
    if (length := len(os.fsencode(path.name))) > _LONGEST_NAME:
        expected = f"a file name of at most {_LONGEST_NAME} bytes"
        raise PerfduckError.at(path, expected=expected, got=f"{length}")


def check_new(path: Path) -> None:
    """Raise PerfduckError where no store can be made at the path: with its reason, before anything
    is read for it."""
    check(path)
    folder = Path(os.path.realpath(path)).parent if path.is_symlink() else path.parent
    if not folder.is_dir():
        raise PerfduckError.at(
            path, expected="a store", got=f"a path in {folder}, which is not a directory"
        )
    if not os.access(folder, os.W_OK):
        raise PerfduckError.at(path, expected="a store", got="a directory that cannot be written")


def identity(path: Path) -> tuple[int, int] | None:
    """Which file the path means now; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _other_kind(path: Path) -> str | None:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return what_is(path)
        with path.open("rb") as file:
            head = file.read(16)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    if not head or head[_MAGIC_AT:].startswith(_MAGIC):
        return None
    return next((kind for magic, kind in _OTHERS.items() if head.startswith(magic)), "another file")


@contextmanager
def damage(path: Path | str) -> Iterator[None]:
    """DuckDB works on this store: what it says of damaged bytes is raised as a PerfduckError."""
    try:
        yield
    except (duckdb.Error, UnicodeDecodeError) as error:
        # "Corrupt database file: computed checksum ..." has the class of all.
        if not isinstance(error, _DAMAGE) and type(error) is not duckdb.Error:
            raise
        reason = str(error).splitlines()[0]
        raise PerfduckError.at(
            path, expected="a whole store", got=f"one that cannot be read: {reason}"
        ) from error


def memory_to_write_mb(path: Path) -> int:
    """A store may have indexes of stacks and symbols, which must fit: some 50 bytes a row, a tenth
    of a store."""
    store_mb = path.stat().st_size >> 20 if path.exists() else 0
    return limits.write_memory_mb + store_mb // 4


def connect(path: Path, engine: Engine | None, wait_s: float | None) -> duckdb.DuckDBPyConnection:
    """To write with an engine, else to read."""
    wait = Wait(wait_s)
    while True:
        try:
            file = identity(path)
            connection = _to_write(path, engine) if engine else _to_read(path)
            if file in (None, identity(path)):
                return connection
            # A smaller copy took its place meanwhile (compact.py).
            engine.detach() if engine else connection.close()
        except duckdb.Error as error:
            holder = _HOLDER.search(str(error))
            if holder is None:
                reason = str(error).removeprefix("IO Error: ").splitlines()[0]
                message = f"{path}: expected a store, got: {reason}"
                raise PerfduckError(message) from error
            # Readers let other readers in: only a writer stops them.
            uses = "has it open" if engine else "writes it"
            process = f"process {holder['pid']} ({holder['program']})"
            url = serving.url_of(path, int(holder["pid"]))
            server = f", a server: --store {url} asks it" if url else ""
            if not wait.goes_on(f"{process} {uses}{server}"):
                message = (
                    f"{path}: expected a free store within {wait.limit_s:g} s, "
                    f"but {process} holds it{server or ' (--wait SECONDS)'}"
                )
                raise StoreIsBusy(message) from error


def _to_read(path: Path) -> duckdb.DuckDBPyConnection:
    return _quiet(duckdb.connect(str(path), read_only=True, config=FENCED))


def _quiet(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """For queries of more than two seconds duckdb draws how far it is, on standard output."""
    connection.execute("set enable_progress_bar = false")
    return connection


def _to_write(path: Path, engine: Engine) -> duckdb.DuckDBPyConnection:
    """Attached: only then can the size of row groups be set."""
    connection = engine.connection()
    connection.execute(f"set memory_limit = '{memory_to_write_mb(path)}MB'")
    place = attachable(path)
    connection.execute(f"attach {place} as store (row_group_size {ROWS_A_GROUP}); use store")
    return connection


def attachable(path: Path) -> str:
    """A path as a string of SQL."""
    place = str(path).replace("'", "''")
    return f"'{place}'"
