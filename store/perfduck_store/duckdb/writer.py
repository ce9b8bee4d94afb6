"""Makes a draft a profile of an open store: everything or nothing, in a transaction of the caller.

    writer = store.writer(draft, identity)          refuses what cannot be, edits what is stored
    new = writer.new_names()                        symbols and stacks that the store lacks
    writer.insert(new)                              all rows but tags
    receipt = writer.finish(tags, blamed)           the tags of the new symbols and stacks

Tags are a matter of Python and polars: the caller works them out while another thread inserts,
which is then the only one that uses the store.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from perfduck_model.batch import STACKS_AT_ONCE, WORK_LOST, WORK_TIME, Facts
from perfduck_model.errors import PerfduckError
from perfduck_model.identity import profile_id
from perfduck_store.draft import Draft
from perfduck_store.duckdb import naming
from perfduck_store.duckdb.schema import named
from perfduck_store.edit import UNIT, ProfileFacts, differences
from perfduck_store.recording import Identity, NewNames, Receipt

if TYPE_CHECKING:
    from perfduck_store.duckdb.store import DuckDbStore

# Columns of table profile that the recording says, and that the user does.
_OTHER = ("labels", "has_given_files", "build_ids", "events", "limitations")
FACTS = tuple(name for name in Facts.__struct_fields__ if name not in _OTHER)
_GIVEN = ("name", "format", "source", "content_hash", "work")


def check(store: "DuckDbStore", identity: Identity) -> bool:
    """Whether the recording is stored already. Raises PerfduckError where it is another one that
    has its name, or where what is said of it must not change."""
    key = profile_id(identity.content_hash)
    if not store.profiles.of([key]):
        _refuse_taken_name(store, identity)
        return False
    before = store.profiles.said(key)
    after = before.edited(identity.said)
    _refuse_changed_work(identity, before, after)
    _refuse_second_facts(identity, before, after)
    return True


def _refuse_taken_name(store: "DuckDbStore", identity: Identity) -> None:
    if store.profiles.has_name(identity.name):
        message = (
            f"{identity.source}: expected a new name, but another recording is stored as "
            f"'{identity.name}' (give --name)"
        )
        raise PerfduckError(message)


def _refuse_changed_work(identity: Identity, before: ProfileFacts, after: ProfileFacts) -> None:
    is_same = (before.work, before.work_unit) == (after.work, after.work_unit)
    if before.work is None or is_same or identity.may_change_work:
        return
    raise PerfduckError.at(
        identity.source,
        expected=f"the work that '{before.name}' is stored with, {before.work_in_words}",
        got=f"{after.work_in_words} (--force changes it)",
    )


def _refuse_second_facts(identity: Identity, before: ProfileFacts, after: ProfileFacts) -> None:
    changes = list(differences(before, after))
    if changes and before.name in identity.just_stored:
        raise PerfduckError.at(
            identity.source,
            expected="another recording",
            got=(
                f"the one that was just stored as '{before.name}' with other facts: "
                f"{', '.join(changes)}"
            ),
        )


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


class DuckDbWriter:
    """One draft on its way into a store."""

    def __init__(self, store: "DuckDbStore", draft: Draft, identity: Identity) -> None:
        """Edit the profile where the recording is stored already; PerfduckError as check()."""
        self._store = store
        self._draft = draft
        self._identity = identity
        self.profile_id = profile_id(identity.content_hash)
        self.is_new = not check(store, identity)
        self._changes: tuple[str, ...] = ()
        self._renamed: str | None = None
        if not self.is_new:
            # What is said of a recording may come later than the recording.
            self._changes = store.profiles.edit(self.profile_id, identity.said)
            names = (draft.symbols, draft.stacks, draft.facts.inlined_samples)
            given = identity.has_names
            self._renamed = naming.better(store, self.profile_id, *names, given=given)
            if self._renamed and not identity.may_rename:
                expected = "scope admin to replace the names of what is stored"
                raise PerfduckError.at(identity.source, expected=expected, got=self._renamed)
            if identity.work is not None:
                self._insert_limitations(WORK_TIME, WORK_LOST)

    @property
    def is_renamed(self) -> bool:
        """Whether it is stored already, and the draft has better names."""
        return self._renamed is not None

    def new_names(self) -> NewNames:
        """What the store lacks of the draft's symbols and stacks."""
        symbols, stacks = self._draft.symbols, self._draft.stacks
        known = self._store.frame_on(stacks.select("stack_id"), named("known_stacks"))
        tagged = self._store.frame_on(symbols.select("symbol_id"), named("known_symbols"))
        return NewNames(_lacking(symbols, tagged), _lacking(stacks, known), tagged)

    def insert(self, new: NewNames) -> None:
        """Insert all rows but those of tags."""
        if self.is_new:
            self._insert_named()
            self._insert_profile()
            self._insert_events()
            self._insert_skipped()
        else:
            naming.forget(self._store, self.profile_id)
            self._insert_named()
            keys = {"profile_id": self.profile_id, "inlined": self._draft.facts.inlined_samples}
            self._store.execute(named("update_inlined"), keys)
        self._insert_stacks(new.stacks)

    def finish(self, tags: pl.DataFrame, blamed: pl.DataFrame) -> Receipt:
        """Insert rows of table symbol and of stack_blame, for all that was new."""
        for table, rows in (("symbol", tags), ("stack_blame", blamed)):
            if len(rows):
                self._store.insert(table, rows)
        if self.is_renamed:
            self._store.execute(named("remove_orphans"))
        return self.receipt()

    def receipt(self) -> Receipt:
        """What has been stored."""
        draft = self._draft
        texts = {code: each.words(draft.samples) for code, each in draft.facts.limitations.items()}
        of_work = [texts.pop(code) for code in (WORK_TIME, WORK_LOST) if code in texts]
        if not (self.is_new or self._changes):  # it was said before
            of_work = []
        return Receipt(
            self.profile_id,
            self._store.profiles.said(self.profile_id).name,
            *(draft.samples, len(draft.stacks), len(draft.symbols)),
            *(draft.skipped, draft.facts.lost),
            is_new=self.is_new,
            is_renamed=self.is_renamed,
            layout=draft.facts.layout,
            inlined=draft.facts.inlined_samples or 0,
            limitations=tuple(texts.values()),
            changes=(*self._changes, *([self._renamed] if self._renamed else []), *of_work),
        )

    def _insert_named(self) -> None:
        """What depends on how addresses are named."""
        key = self.profile_id
        for run in self._draft.take_samples():
            self._store.insert("sample", run, f"{key}::bigint as profile_id, *")
            del run  # before the next one is read
        self._store.execute(named("insert_rollup"), {"profile_id": key})
        self._insert_limitations(*sorted(self._draft.facts.limitations))
        ids = list(self._draft.facts.build_ids.items())
        binaries = pl.DataFrame(ids, {"dso": pl.String, "build_id": pl.String}, orient="row").sort(
            "dso"
        )
        for query, frame in (
            ("insert_binaries", binaries),
            ("insert_leaf_offsets", self._draft.leaf_offsets),
            ("insert_edges", self._draft.edges),
        ):
            self._store.execute_on(frame, named(query), {"profile_id": key})

    def _insert_limitations(self, *codes: str) -> None:
        """Those of the draft with these codes."""
        for code in codes:
            if limitation := self._draft.facts.limitations.get(code):
                row = {"code": code, "samples": limitation.samples, "text": limitation.text}
                keys = {"profile_id": self.profile_id, **row}
                self._store.execute(named("insert_limitation"), keys)

    def _insert_skipped(self) -> None:
        for part in self._draft.take_skipped():
            self._store.execute_on(part, named("insert_skipped"), {"profile_id": self.profile_id})

    def _insert_stacks(self, stacks: pl.DataFrame) -> None:
        """The chains, and their distinct symbols."""
        self._store.make_room(len(stacks))
        for some in stacks.iter_slices(STACKS_AT_ONCE):
            self._store.insert("stack", some)
            self._store.insert("stack_symbol", _stack_symbols(some))

    def _insert_profile(self) -> None:
        """What the recording says of itself goes by the names of Facts."""
        facts, identity = self._draft.facts, self._identity
        said = {name: getattr(facts, name) for name in FACTS}
        values = {name: getattr(identity, name) for name in _GIVEN}
        labels = facts.labels | identity.labels
        row = {
            "profile_id": self.profile_id,
            **said,
            "started_at": _utc(facts.started_at),
            **values,
            "work_unit": None if identity.work is None else identity.work_unit or UNIT,
            "label_names": list(labels),
            "label_values": list(labels.values()),
            "ingested_at": datetime.now(UTC).replace(tzinfo=None),
        }
        self._store.execute_on(pl.DataFrame([row]), named("insert_profile"))

    def _insert_events(self) -> None:
        events = self._draft.facts.events
        schema = {"event": pl.String, "unit": pl.String, "frequency": pl.Float64}
        rows = [(name, event.unit, event.frequency) for name, event in events.items()]
        frame = pl.DataFrame(rows, schema, orient="row")
        self._store.execute_on(frame, named("insert_events"), {"profile_id": self.profile_id})


def _utc(time: datetime | None) -> datetime | None:
    """The time without its zone: DuckDB would turn one with a zone into the time of this machine's
    zone."""
    return (
        time if time is None or time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)
    )
