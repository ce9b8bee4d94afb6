"""What is hot: self, total and blamed weight by function, subsystem, path and more."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from perfduck_diff.keys import By
from perfduck_diff.provenance import provenance
from perfduck_diff.result import RunFacts
from perfduck_store.errors import PerfduckError
from perfduck_store.selector import select
from perfduck_store.store import Store, named

# Samples have these themselves; the others are reached through stacks.
_OF_SAMPLES = ("comm", "cgroup")
_PLACES = ("dso", "source")  # one query


@dataclass(frozen=True, slots=True)
class Top:
    """`rows`: the key's columns, then self, total and blamed in `unit`, and their share in %.

    The share is of `total`, which leaves idle out; `idle` is in `unit` as well. `partial` says of
    profiles that list a part of their samples how many these are: (name, listed, raw).
    `facts`: what the runs are. `provenance`: lines on how sure the tags are and on what only looks
    hot.
    """

    event: str
    unit: str
    profiles: tuple[str, ...]
    total: float
    idle: float
    rows: pl.DataFrame
    facts: RunFacts
    partial: tuple[tuple[str, int, int], ...] = ()
    provenance: tuple[str, ...] = ()


def top(store: Store, selector: str, by: By, *, event: str | None = None, limit: int = 30) -> Top:
    """The heaviest rows of the selected profiles, taken together."""
    profiles = select(store, selector)
    chosen, unit = event_of(store, profiles, event)
    keys = {"profiles": list(profiles), "event": chosen}
    rows = _rows(store, by, keys | {"limit": limit})
    weight, idle = store.rows(named("weights"), keys)[0]
    work, per = work_of(store, profiles)
    if per is None and unit == "ns":
        work, unit = 1e6, "ms"
    main = "blamed" if by == "subsystem" else "self"
    busy = weight - idle
    return Top(
        event=chosen,
        unit=f"{unit}/{per}" if per else unit,
        profiles=tuple(profiles.values()),
        total=busy / work,
        idle=idle / work,
        facts=facts_of(store, profiles, chosen),
        partial=_partial(store, profiles),
        provenance=provenance(store, profiles, chosen),
        rows=rows.with_columns(
            (100 * pl.col(main) / busy if busy else pl.lit(0.0)).alias("share"),
            *(pl.col(name) / work for name in ("self", "total", "blamed")),
        ),
    )


def _rows(store: Store, by: By, keys: dict[str, Any]) -> pl.DataFrame:
    if by in _OF_SAMPLES:
        return store.frame(named(f"top_{by}"), keys)
    if by in _PLACES:
        sql = named("chosen") + named("top_place")
        return store.frame(sql, keys | {"by": by}).rename({"place": by})
    return store.frame(named("chosen") + named(f"top_{by}"), keys)


def event_of(store: Store, profiles: dict[int, str], event: str | None) -> tuple[str, str]:
    """The wanted event and its unit; without a wish, the one with the most samples."""
    known = store.rows(named("events"), {"profiles": list(profiles)})
    for name, unit, _ in known:
        if event in (None, name):
            return name, unit
    message = f"{event}: expected an event of the profiles, got none of {[row[0] for row in known]}"
    raise PerfduckError(message)


def _partial(store: Store, profiles: dict[int, str]) -> tuple[tuple[str, int, int], ...]:
    return tuple(store.rows(named("partial"), {"profiles": list(profiles)}))


def facts_of(store: Store, profiles: dict[int, str], event: str) -> RunFacts:
    """Length, work and samples of the profiles."""
    keys = {"profiles": list(profiles), "event": event}
    [(duration_s, work, samples)] = store.rows(named("run_facts"), keys)
    return RunFacts(runs=len(profiles), samples=samples, duration_s=duration_s, work=work)


def work_of(store: Store, profiles: dict[int, str]) -> tuple[float, str | None]:
    """The work of all profiles and its unit; 1 and None where some did not say or units differ."""
    rows = store.rows(
        "select work, work_unit from profile where profile_id in (select unnest($p::bigint[]))",
        {"p": list(profiles)},
    )
    units = {unit for _, unit in rows}
    if len(units) != 1 or None in units:
        return 1.0, None
    return sum(work for work, _ in rows), units.pop()
