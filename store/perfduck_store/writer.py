"""Adds one profile to the store: everything or nothing, in one transaction."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Self

import numpy as np
import polars as pl

from perfduck_model.batch import EDGE, LEAF_OFFSET, SKIPPED, STACK, SYMBOL, Batch, Facts
from perfduck_model.errors import PerfduckError
from perfduck_model.identity import profile_id
from perfduck_model.limitation import merged
from perfduck_store import limitation, naming
from perfduck_store.edit import Edit, ProfileFacts, apply, differences, said_of
from perfduck_store.sample_spill import SampleSpill
from perfduck_store.store import Store, named

# [symbol_id, name, dso, address] -> the columns of table symbol
Tag = Callable[[pl.DataFrame], pl.DataFrame]
# (stacks, rows of table symbol) -> the columns of table stack_blame
Blame = Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]

_MOST_OF_A_LINE = 1000  # characters; a line that is skipped may have megabytes
_STACKS_AT_ONCE = 60_000  # some 20 frames each: 10 MB a column of frames
_OFFSETS_AT_ONCE = 250_000  # 10 MB; 635,000 samples have 43,000 that differ


@dataclass(frozen=True, slots=True)
class Identity:
    """What a profile is called and what is said of it, apart from what the recording says."""

    name: str  # of a new profile
    format: str
    source: str
    content_hash: str
    work: float | None = None
    work_unit: str | None = None
    kernel_release: str | None = None  # as given: the recording may say it too
    labels: dict[str, str] = field(default_factory=dict)
    wanted_name: str | None = None  # of a stored one as well
    may_change_work: bool = False  # of a stored profile that has another
    just_stored: frozenset[str] = frozenset()  # names of profiles that may not change
    has_names: bool = False  # whether files to name addresses by were given

    @property
    def said(self) -> Edit:
        """What is said of the profile where the recording is stored already."""
        return Edit(self.wanted_name, self.work, self.work_unit, self.kernel_release, self.labels)


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
    is_renamed: bool = False  # resolved again, with better names than were stored
    layout: str | None = None
    limitations: tuple[str, ...] = ()  # in words
    changes: tuple[str, ...] = ()  # of what the store had, in words


def _refuse_changed_work(identity: Identity, before: ProfileFacts, after: ProfileFacts) -> None:
    is_same = (before.work, before.work_unit) == (after.work, after.work_unit)
    if before.work is None or is_same or identity.may_change_work:
        return
    message = (
        f"{identity.source}: expected the work that '{before.name}' is stored with,"
        f" {before.work_in_words}, got {after.work_in_words} (--force changes it)"
    )
    raise PerfduckError(message)


def _distinct(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """One row for each id, the first column, in their order."""
    rows = pl.concat(frames, rechunk=True)
    frames.clear()
    return rows[np.unique(rows.to_series(0).to_numpy(), return_index=True)[1]]


def _lacking(rows: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Those of other ids, the first column."""
    if known.is_empty():  # a join would copy all chains
        return rows
    return rows.join(known, on=rows.columns[0], how="anti", maintain_order="left")


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
        if f.name not in ("lost", "events", "limitations")
        and (value := getattr(new, f.name)) is not None
    }
    return replace(
        old,
        **said,
        lost=old.lost + new.lost,
        events=old.events | new.events,
        limitations=merged(old.limitations, new.limitations),
    )


class ProfileWriter:
    """Collects the batches of one profile. Without `finish` nothing is stored."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.facts = Facts()
        self.samples = 0
        self.skipped = 0
        self._runs = SampleSpill(store.path.parent)
        self._symbols = [pl.DataFrame(schema=SYMBOL)]
        self._stacks = [pl.DataFrame(schema=STACK)]
        self._edges = [pl.DataFrame(schema=EDGE)]
        self._leaf_offsets = [pl.DataFrame(schema=LEAF_OFFSET)]
        self._offsets = 0  # that were added to them since they were added up
        self._is_finished = False

    def __enter__(self) -> Self:
        self._store.execute("begin")
        # With --lenient that may be most of a recording.
        self._store.stage("staged_skipped", pl.DataFrame(schema=SKIPPED))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._store.execute("commit" if self._is_finished and error is None else "rollback")

    def add(self, batch: Batch) -> None:
        """Keep the rows of a batch."""
        self._runs.add(batch.samples)
        self._symbols.append(batch.symbols)
        self._stacks.append(batch.stacks)
        self._edges.append(batch.edges)
        self._add_leaf_offsets(batch.leaf_offsets)
        if len(batch.skipped):
            short = pl.col("text").str.head(_MOST_OF_A_LINE)
            self._store.insert("staged_skipped", batch.skipped.with_columns(short))
        self.samples += int(batch.samples["count"].sum())
        self.skipped += len(batch.skipped)
        self.facts = _merged(self.facts, batch.facts)

    def finish(self, identity: Identity, tag: Tag, blame: Blame) -> Receipt:
        """Make what was added a profile; a no-op where the same content is stored already."""
        key = profile_id(identity.content_hash)
        is_new = not self._store.rows(named("said"), {"profile_id": key})
        changes: tuple[str, ...] = ()
        renamed = None
        if is_new:
            self._refuse_taken_name(identity)
            symbols, stacks = self._insert(tag, blame, partial(self._insert_profile_rows, identity))
        else:
            changes = self._edit(key, identity)
            symbols, stacks = _distinct(self._symbols), _distinct(self._stacks)
            given = identity.has_names
            renamed = naming.better(self._store, key, symbols, stacks, given=given)
        if renamed is not None:
            self._symbols, self._stacks = [symbols], [stacks]
            self._rename(key, tag, blame)
            changes = (*changes, renamed)
        self._is_finished = True
        return Receipt(
            identity.name if is_new else said_of(self._store, key).name,
            *(self.samples, len(stacks), len(symbols), self.skipped, self.facts.lost),
            is_new=is_new,
            is_renamed=renamed is not None,
            layout=self.facts.layout,
            limitations=tuple(each.words(self.samples) for each in self.facts.limitations.values()),
            changes=changes,
        )

    @property
    def symbols(self) -> pl.DataFrame:
        """The [name, dso, address] that were added so far."""
        columns = ("name", "dso", "address")
        return pl.concat([part.select(columns) for part in self._symbols]).unique()

    def ran(self, kernel_release: str | None) -> None:
        """Which kernel the recording is of."""
        self.facts = replace(self.facts, kernel_release=kernel_release)

    def _add_leaf_offsets(self, rows: pl.DataFrame) -> None:
        self._leaf_offsets.append(rows)
        self._offsets += len(rows)
        if self._offsets > _OFFSETS_AT_ONCE:
            all_rows = pl.concat(self._leaf_offsets)
            place = ("event", "symbol_id", "offset")
            self._leaf_offsets = [all_rows.group_by(place).agg(pl.sum("count", "weight"))]
            self._offsets = 0

    def _edit(self, key: int, identity: Identity) -> tuple[str, ...]:
        """What is said of a recording may come later than the recording."""
        before = said_of(self._store, key)
        after = before.edited(identity.said)
        _refuse_changed_work(identity, before, after)
        changes = list(differences(before, after))
        if changes and before.name in identity.just_stored:
            message = (
                f"{identity.source}: expected another recording, got the one that was just stored"
                f" as '{before.name}' with other facts: {', '.join(changes)}"
            )
            raise PerfduckError(message)
        return apply(self._store, key, identity.said)

    def _refuse_taken_name(self, identity: Identity) -> None:
        if self._store.rows(named("id_of_name"), {"name": identity.name}):
            message = (
                f"{identity.source}: expected a new name, but another recording is stored as "
                f"'{identity.name}' (give --name)"
            )
            raise PerfduckError(message)

    def _rename(self, key: int, tag: Tag, blame: Blame) -> None:
        naming.forget(self._store, key)
        self._insert(tag, blame, partial(self._insert_named, key))
        self._store.execute(named("remove_orphans"))

    def _insert(
        self, tag: Tag, blame: Blame, insert_others: Callable[[], None]
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Tags are a matter of Python and polars: DuckDB inserts the rest meanwhile."""
        with ThreadPoolExecutor(1) as thread:
            inserted = [thread.submit(insert_others)]
            try:
                symbols, stacks = _distinct(self._symbols), _distinct(self._stacks)
                known = self._store.matching("stack", stacks.select("stack_id"), "stack_id")
                chains = _lacking(stacks, known)
                inserted.append(thread.submit(self._insert_stacks, chains))
                new = self._tagged_and_charged(symbols, chains, tag, blame)
            finally:
                for each in inserted:
                    each.result()  # what fails there fails the transaction, and says why
        for table, rows in zip(("symbol", "stack_blame"), new, strict=True):
            if len(rows):
                self._store.insert(table, rows)
        return symbols, stacks

    def _tagged_and_charged(
        self, symbols: pl.DataFrame, chains: pl.DataFrame, tag: Tag, blame: Blame
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """New rows of table symbol, and of stack_blame; some symbols have tags."""
        tagged = self._store.matching("symbol", symbols.select("symbol_id"))
        untagged = _lacking(symbols, tagged)
        new = tag(untagged).select(tagged.columns) if len(untagged) else tagged.clear()
        return new, blame(chains, pl.concat([tagged, new]))

    def _insert_stacks(self, chains: pl.DataFrame) -> None:
        """The chains, and their distinct symbols."""
        self._store.make_room(len(chains))
        for some in chains.iter_slices(_STACKS_AT_ONCE):
            self._store.insert("stack", some)
            self._store.insert("stack_symbol", _stack_symbols(some))

    def _insert_profile_rows(self, identity: Identity) -> None:
        """All that belongs to this profile alone."""
        key = profile_id(identity.content_hash)
        self._insert_named(key)
        self._insert_profile(key, identity)
        self._insert_events(key)
        self._store.execute(named("insert_skipped"), {"profile_id": key})

    def _insert_named(self, key: int) -> None:
        """What depends on how addresses are named."""
        for run in self._runs.take():
            self._store.insert("sample", run, f"{key}::bigint as profile_id, *")
            del run  # before the next one is read
        self._store.execute(named("insert_rollup"), {"profile_id": key})
        limitation.keep(self._store, key, self.facts.limitations)
        where = {"profile_id": key}
        for query, frames in (
            ("insert_leaf_offsets", self._leaf_offsets),
            ("insert_edges", self._edges),
        ):
            self._store.execute_on(pl.concat(frames), named(query), where)

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
                "ingested_at": datetime.now(UTC).replace(tzinfo=None),
                "layout": facts.layout,
            },
        )

    def _insert_events(self, key: int) -> None:
        rows = self._store.rows(named("recorded_events"), {"profile_id": key})
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
