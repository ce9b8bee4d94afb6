"""Adds one profile to the store: everything or nothing, in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from types import TracebackType
from typing import Self

import polars as pl

from perfduck_store.batch import EDGE, LEAF_OFFSET, SAMPLE, SKIPPED, STACK, SYMBOL, Batch, Facts
from perfduck_store.errors import PerfduckError
from perfduck_store.identity import profile_id
from perfduck_store.store import Store, named

# [symbol_id, name, dso, address] -> the columns of table symbol
Tag = Callable[[pl.DataFrame], pl.DataFrame]
# (stacks, rows of table symbol) -> the columns of table stack_blame
Blame = Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]

_STAGED = {
    "sample": SAMPLE,
    "symbol": SYMBOL,
    "stack": STACK,
    "leaf_offset": LEAF_OFFSET,
    "edge": EDGE,
    "skipped": SKIPPED,
}
_STACKS_AT_ONCE = 20_000  # some 30 frames each: 5 MB a column of frames
_TYPES = {
    pl.Int64: "bigint",
    pl.Int32: "integer",
    pl.String: "varchar",
    pl.Float64: "double",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """What a profile is called and what is said of it, apart from what the recording says."""

    name: str
    format: str
    source: str
    content_hash: str
    work: float | None = None
    work_unit: str | None = None
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What has been stored."""

    name: str
    samples: int
    stacks: int
    symbols: int
    skipped: int
    lost: int
    is_new: bool = True


def _create(table: str) -> str:
    columns = ", ".join(
        f'"{name}" {"bigint[]" if name == "symbol_ids" else _TYPES[kind]}'  # type: ignore[index]
        for name, kind in _STAGED[table].items()
    )
    return f"create or replace temp table staged_{table} ({columns})"


def _stack_symbols(stacks: pl.DataFrame) -> pl.DataFrame:
    """The columns of table stack_symbol. The leaf is the first entry; a recursive function is one
    row. polars takes a tenth of the time of a group by in DuckDB."""
    ids = pl.col("symbol_ids")
    rows = stacks.filter(ids.list.len() > 0).select(
        "stack_id", ids.list.unique().alias("symbol_id"), ids.list.first().alias("leaf")
    )
    is_leaf = (pl.col("symbol_id") == pl.col("leaf")).alias("is_leaf")
    return rows.explode("symbol_id").select("stack_id", "symbol_id", is_leaf)


def _merged(old: Facts, new: Facts) -> Facts:
    said = {
        f.name: value
        for f in fields(new)
        if f.name not in ("lost", "events") and (value := getattr(new, f.name)) is not None
    }
    return replace(old, **said, lost=old.lost + new.lost, events=old.events | new.events)


class ProfileWriter:
    """Collects the batches of one profile. Without `finish` nothing is stored."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.facts = Facts()
        self.samples = 0
        self._stacks = 0
        self.skipped = 0
        self._is_finished = False

    def __enter__(self) -> Self:
        self._store.execute("begin")
        for table in _STAGED:
            self._store.execute(_create(table))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._store.execute("commit" if self._is_finished and error is None else "rollback")

    def add(self, batch: Batch) -> None:
        """Stage the rows of a batch."""
        for table, frame in (
            ("sample", batch.samples),
            ("symbol", batch.symbols),
            ("stack", batch.stacks),
            ("leaf_offset", batch.leaf_offsets),
            ("edge", batch.edges),
            ("skipped", batch.skipped),
        ):
            if len(frame):
                self._store.insert(f"staged_{table}", frame)
        self._stacks += len(batch.stacks)
        self.samples += int(batch.samples["count"].sum())
        self.skipped += len(batch.skipped)
        self.facts = _merged(self.facts, batch.facts)

    def finish(self, identity: Identity, tag: Tag, blame: Blame) -> Receipt:
        """Make the staged rows a profile; a no-op where the same content is stored already."""
        twin = self._store.rows(
            "select name from profile where content_hash = $hash", {"hash": identity.content_hash}
        )
        if twin:
            self._update_profile(identity)
            return self._receipt(twin[0][0], is_new=False)
        self._refuse_taken_name(identity)
        self._store.make_room(self._stacks)
        key = profile_id(identity.content_hash)
        self._insert_symbols(tag)
        self._store.execute(named("insert_stacks"))
        self._insert_of_stacks(blame)
        self._insert_profile(key, identity)
        self._insert_events(key)
        for query in ("insert_samples", "insert_details"):
            for statement in named(query).split(";"):
                if statement.strip():
                    self._store.execute(statement, {"profile_id": key})
        self._is_finished = True
        return self._receipt(identity.name, is_new=True)

    def _update_profile(self, identity: Identity) -> None:
        """What is said of a recording may come later than the recording."""
        self._store.execute(
            named("update_profile"),
            {
                "content_hash": identity.content_hash,
                "work": identity.work,
                "work_unit": identity.work_unit,
                "label_names": list(identity.labels),
                "label_values": list(identity.labels.values()),
            },
        )
        self._is_finished = True

    def _receipt(self, name: str, *, is_new: bool) -> Receipt:
        stacks, symbols = self._store.rows(
            "select (select count(distinct stack_id) from staged_stack),"
            " (select count(distinct symbol_id) from staged_symbol)"
        )[0]
        return Receipt(name, self.samples, stacks, symbols, self.skipped, self.facts.lost, is_new)

    def _refuse_taken_name(self, identity: Identity) -> None:
        taken = self._store.rows(
            "select 1 from profile where name = $name", {"name": identity.name}
        )
        if taken:
            message = (
                f"{identity.source}: expected a new name, but another recording is stored as "
                f"'{identity.name}' (give --name)"
            )
            raise PerfduckError(message)

    def _insert_symbols(self, tag: Tag) -> None:
        new = self._store.frame(
            "select distinct on (symbol_id) * from staged_symbol"
            " where symbol_id not in (select symbol_id from symbol) order by symbol_id"
        )
        if len(new):
            self._store.insert("symbol", tag(new))

    def _insert_of_stacks(self, blame: Blame) -> None:
        """What is looked up of the new stacks: their distinct symbols, and the one charged."""
        stacks = self._store.frame(
            "select stack_id, symbol_ids from stack"
            " where stack_id not in (select stack_id from stack_blame) order by stack_id"
        )
        if len(stacks):
            symbols = self._store.frame("select * from symbol")
            for some in stacks.iter_slices(_STACKS_AT_ONCE):
                self._store.insert("stack_symbol", _stack_symbols(some))
                self._store.insert("stack_blame", blame(some, symbols))

    def _insert_profile(self, key: int, identity: Identity) -> None:
        facts = self.facts
        self._store.execute(
            named("insert_profile"),
            {
                "profile_id": key,
                "name": identity.name,
                "format": identity.format,
                "source": identity.source,
                "content_hash": identity.content_hash,
                "started_at": facts.started_at,
                "duration_s": facts.duration_s,
                "host": facts.host,
                "kernel_release": facts.kernel_release,
                "arch": facts.arch,
                "cpus": facts.cpus,
                "command": facts.command,
                "tool": facts.tool,
                "lost": facts.lost,
                "raw_samples": facts.raw_samples,
                "work": identity.work,
                "work_unit": identity.work_unit,
                "label_names": list(identity.labels),
                "label_values": list(identity.labels.values()),
            },
        )

    def _insert_events(self, key: int) -> None:
        rows = self._store.rows(named("staged_events"))
        for event, samples, weight, has_period in rows:
            said = self.facts.events.get(event)
            self._store.execute(
                "insert into event values ($profile_id, $event, $unit, $frequency, $n, $weight)",
                {
                    "profile_id": key,
                    "event": event,
                    "unit": said.unit if said and has_period else "sample",
                    "frequency": said.frequency if said else None,
                    "n": samples,
                    "weight": weight,
                },
            )
