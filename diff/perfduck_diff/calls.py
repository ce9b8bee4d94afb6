"""Who calls a function, and what it calls.

perfduck top pod nf_hook_slow --by callers
"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from perfduck_diff.engine.result import RunFacts
from perfduck_diff.filters import Filters
from perfduck_diff.keys import Side
from perfduck_diff.notes import lacking_notes
from perfduck_diff.selection import Note, select_samples
from perfduck_diff.top import counted
from perfduck_diff.work import facts_of, work_of
from perfduck_model.errors import PerfduckError
from perfduck_store.picked_samples import PickedSamples
from perfduck_store.protocol import Store
from perfduck_store.selector import select

_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Calls:
    """`rows`, the heaviest of `row_count`: function, dso, subsystem, total in `unit`, and its share
    of all calls in %. `notes`: what is merged, left out or narrowed, and what the recordings lack.
    """

    function: str
    side: Side
    event: str
    unit: str
    profiles: tuple[str, ...]
    rows: pl.DataFrame
    row_count: int
    facts: RunFacts
    notes: tuple[Note, ...] = ()


def calls(
    store: Store,
    selector: str,
    function: str | None,
    side: Side,
    *,
    filters: Filters | None = None,
    limit: int = 30,
) -> Calls:
    """The heaviest callers or callees of a function in the selected profiles."""
    filters = filters or Filters()
    profiles = select(store, selector, filters.where)
    selection = select_samples(store, {"": profiles}, filters)
    function_name = _known(store, function, side)
    _check_arcs(selection.samples, filters)
    rows, row_count = counted(
        selection.samples.calls(function_name, limit, callees=side == "callees")
    )
    amount = work_of(store, selection, filters)
    notes = (*selection.notes, *amount.notes, *lacking_notes(store, selection))
    return Calls(
        function=function_name,
        side=side,
        event=selection.event,
        unit=amount.unit,
        profiles=tuple(selection.profiles.values()),
        row_count=row_count,
        facts=facts_of(store, selection, filters),
        notes=(*notes, *_recursive(rows, function_name, side)),
        rows=rows.drop("once").with_columns(pl.col("total") / amount.divisor),
    )


def _recursive(rows: pl.DataFrame, function: str, side: Side) -> Iterator[Note]:
    """That the rows add up to more than the samples they are of."""
    if rows.is_empty():
        return
    heaviest = rows.row(0, named=True)
    added = 100 * heaviest["total"] / heaviest["share"] if heaviest["share"] else 0.0
    if added > heaviest["once"] * (1 + _ROUNDING):
        text = (
            f"{function} is recursive: a sample counts for each of its {side}, so that all rows add"
            f" up to {added / heaviest['once']:.3g} times the weight of their samples"
        )
        yield Note("calls", text)


def _known(store: Store, function: str | None, side: Side) -> str:
    if function is None:
        message = f"--by {side}: expected a function: perfduck top SELECTOR FUNCTION --by {side}"
        raise PerfduckError(message)
    if not store.symbols.is_known(function):
        close = store.symbols.similar(function)
        hint = "" if close is None else f": did you mean {close}?"
        raise PerfduckError.at(
            function, expected="a function in the store", got=f"none of that name{hint}"
        )
    return function


def _check_arcs(samples: PickedSamples, filters: Filters) -> None:
    """The arcs of an OProfile call graph say nothing of the samples that they come from."""
    arcs = samples.with_arcs() if filters.words() else []
    if arcs:
        message = (
            f"{arcs[0]}: its calls are recorded without their samples: {filters.words()} cannot"
            " choose among them"
        )
        raise PerfduckError(message)
