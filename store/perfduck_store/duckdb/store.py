"""A store that is a DuckDB file, and open (store_file.py). One process writes or many read."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import duckdb

from perfduck_model.errors import PerfduckError, room_on_disk
from perfduck_store import parts, waiting
from perfduck_store.choice import KEYS, Choice
from perfduck_store.duckdb import compact, merge, schema, store_file
from perfduck_store.duckdb.kept import DuckDbAttachments, DuckDbNoise, DuckDbTagInputs
from perfduck_store.duckdb.profiles import DuckDbProfiles
from perfduck_store.duckdb.samples import DuckDbSamples
from perfduck_store.duckdb.store_file import Engine
from perfduck_store.duckdb.symbols import DuckDbSymbols
from perfduck_store.recording import Identity
from perfduck_store.records import Merged, ResultRows, Saved

if TYPE_CHECKING:  # commands that print a few rows do without
    import polars as pl

    from perfduck_store.choice import SqlLimits
    from perfduck_store.draft import Draft
    from perfduck_store.duckdb.writer import DuckDbWriter

# What `perfduck tag` rewrites waits in memory for the commit: for two million stacks 127 MB are not
# enough.
_BYTES_A_STACK = 100

Parameters = Mapping[str, Any] | None


class DuckDbStore:
    """A store that is open; close it, or use it as a context manager."""

    def __init__(
        self,
        path: Path,
        *,
        write: bool = False,
        wait_s: float | None = None,
        create: bool = True,
        engine: Engine | None = None,
    ) -> None:
        """Open the store; to write, `create` it where there is none, and with an `engine` for this
        path that several openings share. `wait_s`: how long to wait for a process that has it open;
        None: as this process is set (waiting.py). Raises StoreIsBusy after that."""
        self.path = path
        self._check_file(is_made=write and create)
        self._is_new = write and not path.exists()
        self.folder = path.parent
        self._engine = engine
        self.profiles, self.symbols = DuckDbProfiles(self), DuckDbSymbols(self)
        self.attachments, self.noise = DuckDbAttachments(self), DuckDbNoise(self)
        self.tag_inputs = DuckDbTagInputs(self)
        self.picked: Choice | None = None  # that the view `picked` has the samples of
        self._open(write=write, wait_s=wait_s)
        waiting.opened(self)
        if not write and self._version < schema.SCHEMA_VERSION:
            self.close()
            self._upgrade(wait_s)
            self._open(write=False, wait_s=wait_s)

    @property
    def place(self) -> Path | str:
        """Where the store is, for a message."""
        return self.path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Close the store. What made it and failed leaves no empty one behind."""
        if any(error) and self._is_new and self.rows(schema.named("is_empty")) == [(True,)]:
            self.path.unlink(missing_ok=True)
            self.path.with_name(f"{self.path.name}.wal").unlink(missing_ok=True)
        self.close()

    def interrupt(self) -> None:
        """Stop the statement that runs now, from another thread: who runs it gets a
        KeyboardInterrupt."""
        self._connection.interrupt()

    def close(self) -> None:
        """Let other processes have the store."""
        if self._engine is None:
            self._connection.close()
        else:
            self._engine.detach()

    def samples(self, choice: Choice) -> DuckDbSamples:
        """The samples of the choice, to ask about."""
        return DuckDbSamples(self, choice)

    def execute(self, sql: str, parameters: Parameters = None) -> None:
        """Run a statement for its effect."""
        self.rows(sql, parameters)

    def rows(self, sql: str, parameters: Parameters = None) -> list[tuple[Any, ...]]:
        """The answer as tuples."""
        with self._held(sql):
            return self._connection.execute(sql, parameters).fetchall()

    def table(self, sql: str, parameters: Parameters = None) -> ResultRows:
        """The answer as tuples, with the names of the columns."""
        with self._held(sql):
            answer = self._connection.execute(sql, parameters)
            return ResultRows([column[0] for column in answer.description or ()], answer.fetchall())

    def frame(self, sql: str, parameters: Parameters = None) -> "pl.DataFrame":
        """The answer as columns."""
        with self._held(sql):
            answer: pl.DataFrame = self._connection.sql(sql, params=parameters).pl()
            return answer

    def user_sql(
        self, text: str, parameters: Mapping[str, Any], limits: "SqlLimits"
    ) -> "pl.DataFrame":
        """The rows of a statement that somebody typed: see sql_process."""
        return parts.sql_process.run(self.path, text, parameters, limits)

    def run_user_sql(
        self, text: str, parameters: Mapping[str, Any], limits: "SqlLimits"
    ) -> "pl.DataFrame":
        """The same in this process: see user_sql."""
        with self._held():
            return parts.user_sql.run(self._connection, text, parameters, limits)

    def fence(self) -> None:
        """Open no other file from now on."""
        self.execute("set enable_external_access = false")

    def spill_to(self, folder: Path) -> None:
        """Where DuckDB writes what does not fit into its memory; it makes the folder."""
        self.execute(f"set temp_directory = {store_file.attachable(folder)}")

    def execute_on(self, incoming: "pl.DataFrame", sql: str, parameters: Parameters = None) -> None:
        """Run a statement that reads the frame by the name `incoming`."""
        # duckdb finds the argument. A frame that is registered it keeps until the transaction ends.
        with self._held(sql):
            self._connection.execute(sql, parameters).fetchall()

    def choose(self, choice: Choice) -> None:
        """Have queries be about a choice: what dialect.sql says of it."""
        self.execute(schema.named("dialect"))
        named_events = sorted({event for events in choice.events for event in events})
        self.execute("set variable profiles = $p::bigint[]", {"p": list(choice.profiles)})
        texts = {"events": named_events, "pairs": choice.pairs}
        for name, values in (texts | {key: choice.values.get(key) for key in KEYS}).items():
            kept = None if values is None else list(values)
            self.execute(f"set variable {name} = $v::varchar[]", {"v": kept})

    def keep_rows(self, name: str, sql: str, parameters: Parameters = None) -> None:
        """Let a query be a temporary table."""
        self.execute(f"create or replace temp table {name} as {sql}", parameters)

    def keep_frame(self, name: str, frame: "pl.DataFrame") -> None:
        """Let a frame be a temporary table."""
        self.execute_on(frame, f"create or replace temp table {name} as select * from incoming")

    def insert(self, table: str, frame: "pl.DataFrame", columns: str = "*") -> None:
        """Append the frame to the table: COLUMNS is the select list over it."""
        self.execute_on(frame, f"insert into {table} by name select {columns} from incoming")

    def frame_on(
        self, incoming: "pl.DataFrame", sql: str, parameters: Parameters = None
    ) -> "pl.DataFrame":
        """The answer as columns of a query that reads the frame by the name `incoming`."""
        with self._held(sql):
            answer: pl.DataFrame = self._connection.sql(sql, params=parameters).pl()
            return answer

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written within is there as a whole, or after an exception not at all."""
        self.execute("begin")
        try:
            yield
        except BaseException:
            self.execute("rollback")
            raise
        self._commit()

    def _commit(self) -> None:
        self.execute("commit")

    @contextmanager
    def _held(self, sql: str = "") -> Iterator[None]:
        """Around a statement, which one thread runs at a time. KeyboardInterrupt where it was
        stopped: by `interrupt`, or by a signal, of which duckdb makes a RuntimeError."""
        try:
            with store_file.damage(self.place), room_on_disk(self.place):
                yield
        except duckdb.InterruptException as error:
            raise KeyboardInterrupt from error
        except RuntimeError as error:
            if str(error) == "Query interrupted":
                raise KeyboardInterrupt from error
            raise

    def copy_to(self, path: Path) -> None:
        """Write all that is stored to a new file, which has no space of what was removed."""
        place = store_file.attachable(path)
        self.execute(f"attach {place} as copy (row_group_size {store_file.ROWS_A_GROUP})")
        self.execute("copy from database store to copy")
        self.execute("checkpoint copy")
        self.execute("detach copy")

    @contextmanager
    def other(self, path: Path) -> Iterator[None]:
        """Another store of this schema version is there to read as database `other`."""
        try:
            self.execute(f"attach {store_file.attachable(path)} as other (read_only)")
        except duckdb.IOException as error:
            message = f"{path}: expected a free store, got: {str(error).splitlines()[0]}"
            raise PerfduckError(message) from error
        try:
            yield
        finally:
            self.execute("detach other")

    def check(self, identity: Identity) -> bool:
        """Whether the recording is stored already. Raises PerfduckError where it is another one
        that has its name, or where what is said of it must not change."""
        return parts.writer.check(self, identity)

    def writer(self, draft: "Draft", identity: Identity) -> "DuckDbWriter":
        """What makes the draft a profile, in a transaction of the caller. PerfduckError as
        `check`."""
        return parts.writer.DuckDbWriter(self, draft, identity)

    def merge(self, other: Path, wait_s: float | None = None) -> Merged:
        """Add what another store has and this one has not, in one transaction: see merge.py.
        PerfduckError where it is this store, no store, or of a newer schema version."""
        return merge.merge(self, other, lambda: DuckDbStore(other, wait_s=wait_s))

    def close_and_compact(self) -> Saved | None:
        """Close the store; where a quarter of its file or more is free, make it smaller. None where
        it is not, or the disk has no room for the copy."""
        return compact.close_and_compact(self)

    def make_room(self, stacks: int) -> None:
        """Let duckdb have the memory to write so many stacks: it gives up where it has not."""
        limit = store_file.memory_to_write_mb(self.path) + (stacks * _BYTES_A_STACK >> 20)
        self.execute(f"set memory_limit = '{limit}MB'")

    def _check_file(self, *, is_made: bool) -> None:
        """Raise PerfduckError where there is no store, and none that `is_made`."""
        store_file.check(self.path)
        if not is_made and not self.path.exists():
            raise PerfduckError.at(
                self.path, expected="a store", got="no such file (perfduck ingest makes one)"
            )

    def _open(self, *, write: bool, wait_s: float | None) -> None:
        """Connect, and check what is there; to write, make it a store of this schema version."""
        engine = (self._engine or Engine(self.path)) if write else None
        self._connection = store_file.connect(self.path, engine, wait_s)
        try:
            if not self._is_new:
                self._refuse_functions()
            self._version = self._found_version(write=write)
            if write and self._version < schema.SCHEMA_VERSION:
                self.execute(schema.upgrade(self._version) if self._version else schema.creation())
        except BaseException:
            self.close()
            raise

    def _refuse_functions(self) -> None:
        """A macro in the file has the place of a function of that name in all our queries: max()
        may read files. The schema has none."""
        if self.rows("select 1 from system.main.duckdb_functions() where not internal limit 1"):
            got = "one with functions of its own"
            raise PerfduckError.at(self.path, expected="a perfduck store", got=got)

    def _found_version(self, *, write: bool) -> int:
        """The schema version; 0 where there are no tables yet."""
        tables = {row[0] for row in self.rows("select table_name from duckdb_tables()")}
        if not tables and write:
            return 0
        if "meta" not in tables or "profile" not in tables:
            raise PerfduckError.at(
                self.path, expected="a perfduck store", got="another DuckDB file"
            )
        version: int = self.rows("select schema_version from meta")[0][0]
        if reason := schema.mismatch(version):
            message = f"{self.path}: {reason}"
            raise PerfduckError(message)
        return version

    def _upgrade(self, wait_s: float | None) -> None:
        """Readers cannot read an older store, so they upgrade it as a writer does."""
        try:
            DuckDbStore(self.path, write=True, wait_s=wait_s).close()
        except PerfduckError as error:
            raise PerfduckError.at(
                self.path,
                expected=f"schema version {schema.SCHEMA_VERSION}",
                got=f"{self._version}, and cannot upgrade the store: {error}",
            ) from error
