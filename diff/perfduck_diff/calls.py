"""Who calls a function, and what it calls.

perfduck top pod nf_hook_slow --by callers
"""

from dataclasses import dataclass

import polars as pl

from perfduck_diff.keys import Side
from perfduck_diff.result import RunFacts
from perfduck_diff.top import event_of, facts_of, work_of
from perfduck_store.errors import PerfduckError
from perfduck_store.selector import select
from perfduck_store.store import Store, named


@dataclass(frozen=True, slots=True)
class Calls:
    """`rows`: function, dso, subsystem, total in `unit`, and its share of all calls in %."""

    function: str
    side: Side
    event: str
    unit: str
    profiles: tuple[str, ...]
    rows: pl.DataFrame
    facts: RunFacts


def calls(
    store: Store,
    selector: str,
    function: str | None,
    side: Side,
    *,
    event: str | None = None,
    limit: int = 30,
) -> Calls:
    """The heaviest callers or callees of a function in the selected profiles."""
    profiles = select(store, selector)
    asked = _known(store, function, side)
    chosen, unit = event_of(store, profiles, event)
    keys = {"profiles": list(profiles), "event": chosen, "function": asked, "limit": limit}
    sql = named("chosen") + named("top_calls")
    rows = store.frame(sql, keys | {"callees": side == "callees"})
    work, per = work_of(store, profiles)
    return Calls(
        function=asked,
        side=side,
        event=chosen,
        unit=f"{unit}/{per}" if per else unit,
        profiles=tuple(profiles.values()),
        facts=facts_of(store, profiles, chosen),
        rows=rows.with_columns(pl.col("total") / work),
    )


def _known(store: Store, function: str | None, side: Side) -> str:
    if function is None:
        message = f"--by {side}: expected a function: perfduck top SELECTOR FUNCTION --by {side}"
        raise PerfduckError(message)
    known = store.rows(
        "select 1 from symbol where name = $function or canonical = $function limit 1",
        {"function": function},
    )
    if not known:
        message = f"{function}: expected a function in the store, got none of that name"
        raise PerfduckError(message)
    return function
