"""What is hot: self, total and blamed weight by function, subsystem, path and more."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import polars as pl

from perfduck_diff import net_counts
from perfduck_diff.engine.result import RunFacts
from perfduck_diff.filters import Filters
from perfduck_diff.keys import By
from perfduck_diff.notes import lacking_notes, provenance
from perfduck_diff.pod_notes import notes_beside
from perfduck_diff.selection import (
    Note,
    NothingSelectedError,
    Selection,
    WithPods,
    select_samples,
)
from perfduck_diff.traversal_rows import traversed
from perfduck_diff.work import Amount, facts_of, work_of
from perfduck_store.choice import KEPT
from perfduck_store.protocol import Store
from perfduck_store.records import PartlyListed
from perfduck_store.selector import select


@dataclass(frozen=True, slots=True)
class Top:
    """`rows`, the heaviest of `row_count`: the key's columns, then self, total and blamed in
    `unit`, and their share in %.

    The share is of `total`, which leaves idle out; `idle` is in `unit` as well. `partial` says of
    profiles that list a part of their samples how many these are.
    `other_pmus`: the same of the other core PMUs of a hybrid CPU, in units of their own.
    `facts`: what the runs are. `notes`: what is merged, left out or narrowed. `lacking`: what the
    recordings lack. `provenance`: lines on that, on how sure the tags are and what only looks hot.
    """

    event: str
    unit: str
    profiles: tuple[str, ...]
    total: float
    idle: float
    rows: pl.DataFrame
    row_count: int
    facts: RunFacts
    partial: tuple[PartlyListed, ...] = ()
    notes: tuple[Note, ...] = ()
    lacking: tuple[Note, ...] = ()
    provenance: tuple[str, ...] = ()
    other_pmus: tuple["Top", ...] = ()

    @property
    def all_rows(self) -> pl.DataFrame:
        """The rows; of a hybrid CPU those of every core PMU, with its `event`."""
        if not self.other_pmus:
            return self.rows
        tops = (self, *self.other_pmus)
        return pl.concat(each.rows.with_columns(event=pl.lit(each.event)) for each in tops)


@dataclass(frozen=True, slots=True)
class RankedRows:
    """The rows of a Top, `selection`: of which samples, and `amount`: by which work."""

    rows: pl.DataFrame
    row_count: int
    selection: Selection
    amount: Amount

    @property
    def unit(self) -> str:
        """Of the rows and of `total`."""
        return self.amount.unit

    @property
    def total(self) -> float:
        """Without idle."""
        return self.selection.busy / self.amount.divisor


def top(
    store: Store, selector: str, by: By, *, filters: Filters | None = None, limit: int = 30
) -> Top:
    """The heaviest rows of the selected profiles, taken together."""
    filters = filters or Filters()
    ranking = ranked(store, selector, by, filters, limit)
    selection, amount = ranking.selection, ranking.amount
    lacks = lacking_notes(store, selection)
    answer = Top(
        event=selection.event,
        unit=amount.unit,
        profiles=tuple(selection.profiles.values()),
        row_count=ranking.row_count,
        total=ranking.total,
        idle=selection.idle / amount.divisor,
        facts=facts_of(store, selection, filters),
        partial=tuple(store.profiles.partly_listed(selection.profiles)),
        notes=(*selection.notes, *amount.notes, *_notes(store, selection, by)),
        lacking=lacks,
        provenance=(*(note.text for note in lacks), *provenance(store, selection)),
        rows=ranking.rows,
    )
    for event in selection.other_pmus:
        only = replace(filters, event=(event,))
        try:
            other = top(store, selector, by, filters=only, limit=limit)
            answer = replace(answer, other_pmus=(*answer.other_pmus, other))
        except NothingSelectedError as error:
            note = Note("filter", f"{event}: {error}")
            answer = replace(answer, notes=(*answer.notes, note))
    return answer


def ranked(store: Store, selector: str, by: By, filters: Filters, limit: int) -> RankedRows:
    """The same rows, without what is said beside them."""
    profiles = select(store, selector, filters.where)
    keep = [key for key in KEPT if key == by]
    pods: WithPods = "always" if by == "pod" else "asked"
    selection = select_samples(store, {"": profiles}, filters, keep, pods)
    rows, row_count = (
        traversed(store, selection, limit)
        if by == "traversal"
        else counted(selection.samples.rank(by, limit))
    )
    amount = work_of(store, selection, filters)
    main = "blamed" if by in ("subsystem", "program", "pod") else "self"
    rows = rows.with_columns(
        (100 * pl.col(main) / selection.busy).alias("share"),
        *(pl.col(name) / amount.divisor for name in ("self", "total", "blamed")),
    )
    return RankedRows(rows, row_count, selection, amount)


def _notes(store: Store, selection: Selection, by: By) -> Iterable[Note]:
    if by in ("direction", "traversal"):
        text = net_counts.counted(store, selection.profiles) or net_counts.NOTHING
        return (Note("counted", text),)
    return notes_beside(selection, by)


def counted(rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """The rows that a limit left, and how many there are without it."""
    return rows.drop("row_count"), rows["row_count"][0] if len(rows) else 0
