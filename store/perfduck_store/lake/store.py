"""A lake as a store: a DuckDB in memory that has what a question needs of the parts of the lake.

A statement names tables; before it runs, the rows that these tables have of the recordings that are
asked about are read from their parts. So the queries are those of a DuckDB file. What is written
goes into these tables, too, and at the end of a transaction into new parts and one commit.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec

from perfduck_model.errors import PerfduckError
from perfduck_store import parts as modules
from perfduck_store.choice import Choice
from perfduck_store.duckdb import schema
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.duckdb.store_file import Engine
from perfduck_store.edit import ProfileFacts
from perfduck_store.lake import publish
from perfduck_store.lake.address import SCHEME
from perfduck_store.lake.changes import (
    Changes,
    LakeAttachments,
    LakeNoise,
    LakeProfiles,
    LakeSymbols,
    LakeTagInputs,
)
from perfduck_store.lake.files import LakeFiles
from perfduck_store.lake.gone import told_of_compactions
from perfduck_store.lake.kinds import KIND_OF, KINDS, NAMES
from perfduck_store.lake.left_out import no_lake, say_what_is_left_out
from perfduck_store.lake.log import Setting, Slot, read_state
from perfduck_store.lake.parts import in_quotes, lake_query, source_of
from perfduck_store.lake.said import edits_of
from perfduck_store.lake.samples import LakeSamples
from perfduck_store.records import Merged, Saved

if TYPE_CHECKING:
    import polars as pl

    from perfduck_store.choice import SqlLimits
    from perfduck_store.draft import Draft
    from perfduck_store.lake.writer import LakeWriter
    from perfduck_store.recording import Identity

_RECORDINGS_AT_ONCE = 50  # that are copied to a file,
_BYTES_AT_ONCE = 16 << 20  # or fewer with parts of so many bytes: in memory some 20 times as many
_COMMENT = re.compile(r"--.*")
_TABLE = re.compile(r"\b(?:from|join|into|update)\s+(\w+)", re.IGNORECASE)
_KEYS = {"stack": "stack_id", "stack_blame": "stack_id", "symbol": "symbol_id"}


class LakeStore(DuckDbStore):
    """A lake as it was when it was opened; close it, or use it as a context manager."""

    def __init__(
        self, root: Path | str, *, write: bool = False, create: bool = True, upgrade: bool = False
    ) -> None:
        """Read what the lake holds, and no part yet; to write, `create` it where there is none; to
        `upgrade`, what older schema versions have is all there needs to be. PerfduckError where
        there is none, or something else."""
        self.files = LakeFiles(root)
        if not ((write and create) or self.files.exists or (upgrade and self.files.older_versions)):
            raise no_lake(self.files)
        self.state = read_state(self.files)
        if not upgrade:
            say_what_is_left_out(self.files, self.state)
        self.changes = Changes(self.state)
        self._writes = write
        self._viewed: set[Slot] = set()
        self._about: list[int] | None = None
        self._loaded: dict[str, set[Slot]] = {}
        self._temporary = TemporaryDirectory(prefix="perfduck-lake-")
        super().__init__(Path(self._temporary.name) / "lake", write=True)
        self.profiles, self.symbols = LakeProfiles(self), LakeSymbols(self)
        self.attachments, self.noise = LakeAttachments(self), LakeNoise(self)
        self.tag_inputs = LakeTagInputs(self)

    @property
    def place(self) -> str:
        """Where the lake is, for a message: its database is a temporary one."""
        return self.files.root

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget what was read."""
        super().close()
        self._temporary.cleanup()

    def samples(self, choice: Choice) -> LakeSamples:
        """The samples of the choice, to ask about."""
        return LakeSamples(self, choice)

    @contextmanager
    def about(self, profiles: Iterable[int]) -> Iterator[None]:
        """Statements within are about these recordings: rows of no other are needed."""
        before, self._about = self._about, list(profiles)
        try:
            yield
        finally:
            self._about = before

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written within is one commit of the lake, or after an exception none."""
        loaded = {table: set(slots) for table, slots in self._loaded.items()}
        try:
            with super().transaction():
                yield
                publish.commit(self)
        except BaseException:
            self._loaded = loaded  # what was read since is undone, too
            raise
        finally:
            self.changes = Changes(self.state)
            self._about = None

    def writer(self, draft: "Draft", identity: "Identity") -> "LakeWriter":
        """What makes the draft a profile, in a transaction of the caller. PerfduckError as
        `check`."""
        return modules.lake_writer.LakeWriter(self, draft, identity)

    def write_about(self, profile_id: int) -> None:
        """Until the transaction ends, statements are about this recording, too."""
        self._load("symbol")  # those of all recordings: what is known keeps its tags
        self._about = [*(self._about or []), profile_id]

    def user_sql(
        self, text: str, parameters: Mapping[str, Any], limits: "SqlLimits"
    ) -> "pl.DataFrame":
        """The rows of a statement that somebody typed: see sql_process."""
        return modules.sql_process.run(f"{SCHEME}{self.files.root}", text, parameters, limits)

    def show_parts(self) -> None:
        """For statements of users, which may name tables in any way: all are views of their parts,
        and nothing outside the lake can be read."""
        self._load("profile")
        for table in KIND_OF:
            if table != "profile" and (source := self.source(table, self._settings(table))):
                self.execute(f"drop table {table}")
                self.execute(f"create view {table} as {source}")
        folder = in_quotes(f"{self.files.local_folder}/")
        self.execute(f"set allowed_directories = [{folder}]")

    def copies(self, path: Path, profiles: Sequence[int]) -> Iterator[Path]:
        """A file with some of these recordings after the other, in the same place; the first, which
        may have none, with what is of no recording, too."""
        for number, some in enumerate(self._batches(profiles)):
            with LakeStore(self.files.root) as store:
                store.load_only(some, is_first=not number)
                store.copy_to(path)
            yield path
            path.unlink()

    def _batches(self, profiles: Sequence[int]) -> list[list[int]]:
        """Recordings to copy together, in their order; at least one batch, which may be empty."""
        live = self.state.live("recording")
        batches: list[list[int]] = [[]]
        room = _BYTES_AT_ONCE
        for key in profiles:
            group = live["recording", key].group
            size = 0 if group is None else group.size // group.slots
            if batches[-1] and (size > room or len(batches[-1]) == _RECORDINGS_AT_ONCE):
                batches.append([])
                room = _BYTES_AT_ONCE
            batches[-1].append(key)
            room -= size
        return batches

    def load_only(self, profiles: Sequence[int], *, is_first: bool = True) -> None:
        """Read all that there is of some recordings, and where `is_first` what is of none."""
        with self.about(profiles):
            self.load(*(table for table in KIND_OF if is_first or table not in KINDS))
        self.execute(lake_query("keep_only"), {"profiles": list(profiles)})

    def merge(self, other: Path, wait_s: float | None = None) -> Merged:
        """Add what another store has and the lake has not, some recordings a commit: what is
        interrupted goes on where it is begun again."""
        DuckDbStore(other, wait_s=wait_s).close()  # a store, of this schema version from now on
        with self.other(other):
            return modules.lake_merge.merge(self)

    def close_and_compact(self) -> Saved | None:
        """Close it: a compaction removes what is not needed, see compaction.py."""
        self.close()
        return None

    def make_room(self, stacks: int) -> None:
        """DuckDB has the memory that it takes by itself: nothing waits for a commit."""

    def _check_file(self, *, is_made: bool) -> None:
        """There is none."""

    def _open(self, *, write: bool, wait_s: float | None) -> None:
        self._connection = Engine(self.path).connection()
        self._version = schema.SCHEMA_VERSION
        self._connection.execute("attach ':memory:' as store; use store")
        self._connection.execute(schema.creation())

    @contextmanager
    def _held(self, sql: str = "") -> Iterator[None]:
        """Before a statement runs, what the tables have that it names is read."""
        with told_of_compactions(self.files, self.state):
            for table in _TABLE.findall(_COMMENT.sub("", sql)):
                if table == "sample" and not self._writes:
                    self._view_samples()
                elif table in KIND_OF:
                    self._load(table)
            with super()._held(sql):
                yield

    def load(self, *tables: str) -> None:
        """Read what the tables have of the recordings that statements are about into memory; of all
        of the lake's tables where none is given."""
        for table in tables or KIND_OF:
            if table == "sample":
                self.execute("drop view if exists temp.sample")
                self._viewed = set()
            self._load(table)

    def _load(self, table: str) -> None:
        loaded = self._loaded.setdefault(table, set())
        wanted = self._settings(table)
        settings = {slot: each for slot, each in wanted.items() if slot not in loaded}
        if not settings:
            return
        loaded.update(settings)
        source = self.source(table, settings)
        if table == "profile":
            self._load_profiles(source, settings)
        elif source is not None:
            known = f"anti join {table} using (stack_id)" if table.startswith("stack") else ""
            known = "anti join symbol using (symbol_id)" if table == "symbol" else known
            self.rows(f"insert into {table} by name select * from ({source}) {known}")

    def _view_samples(self) -> None:
        """Samples are many, and an answer needs few columns of them: a reader has a view of their
        parts, before the table of that name."""
        there = self._viewed | self._loaded.get("sample", set())
        wanted = there | self._settings("sample").keys()
        if wanted == there:
            return
        live = self.state.live("recording")
        source = self.source("sample", {slot: live[slot] for slot in live if slot in wanted})
        if source is not None:
            self.execute(f"create or replace temp view sample as {source}")
            self._viewed = wanted

    def _settings(self, table: str) -> dict[Slot, Setting]:
        kind = KIND_OF[table]
        live = self.state.live(kind)
        if self._about is None or table == "profile" or KINDS[kind].keys[0] != "profile_id":
            return live
        wanted = set(self._about)
        return {slot: setting for slot, setting in live.items() if slot[1] in wanted}

    def source(self, table: str, settings: Mapping[Slot, Setting]) -> str | None:
        """A query of the rows that these slots have, each once."""
        source = source_of(self.files, table, settings)
        if source is None or table not in NAMES:
            return source and f"select * from {source}"
        if table not in _KEYS:
            return f"select distinct * from {source}"
        key = _KEYS[table]
        tagged = source_of(self.files, table, self.state.live("tags"))
        none = f"(select * from {source} limit 0)"
        return lake_query("names_of").format(key=key, source=source, tagged=tagged or none)

    def _load_profiles(self, source: str | None, settings: Mapping[Slot, Setting]) -> None:
        if source is None:
            return
        self.rows(f"create temp table recorded as {source}")
        self.execute_on(self._said(settings), lake_query("insert_recorded"))
        self.rows("drop table recorded")

    def _said(self, settings: Mapping[Slot, Setting]) -> "pl.DataFrame":
        """What is said of the profiles now, a row for each. Where several have a name, that of the
        earliest stays, the others have the beginning of the content's hash behind it."""
        import polars as pl

        rows = self.rows(
            "select profile_id, content_hash, name, work, work_unit, kernel_release, labels"
            " from recorded"
        )
        recorded = {key: (content, ProfileFacts(*facts)) for key, content, *facts in rows}
        profiles = [int(slot[1]) for slot in settings]
        if recorded.keys() != set(profiles):
            expected = "parts of the recordings that commits name"
            raise PerfduckError.at(self.files.root, expected=expected, got="parts of others")
        edits = self._edits()
        said, names = [], set[str]()
        for profile in profiles:
            content, facts = recorded[profile]
            facts = facts.edited(edits[profile]) if profile in edits else facts
            name = facts.name
            while name in names:
                name = f"{name}-{content[:8]}"
            names.add(name)
            labels = [list(facts.labels), list(facts.labels.values())]
            said.append((profile, name, facts.work, facts.work_unit, facts.kernel_release, *labels))
        texts = pl.List(pl.String)
        columns: dict[str, pl.DataType] = {
            "profile_id": pl.Int64(), "name": pl.String(), "work": pl.Float64(),
            "work_unit": pl.String(), "kernel_release": pl.String(), "label_names": texts,
            "label_values": texts,
        }  # fmt: skip
        return pl.DataFrame(said, columns, orient="row")

    def _edits(self) -> dict[int, Any]:
        try:
            return edits_of(self.state)
        except (msgspec.ValidationError, TypeError, ValueError, IndexError) as error:
            raise PerfduckError.at(
                self.files.root, expected="what is said of recordings", got=str(error)
            ) from error
