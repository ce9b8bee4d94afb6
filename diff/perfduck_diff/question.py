"""From the store to runs: which profiles, which samples, which frames.

scenario=native        BASE, a selector
scenario=docker0-nat   NEW
workload=udp64         --where: holds for both sides
--skip 1 --comm iperf3 which samples
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from perfduck_diff.filters import Filters
from perfduck_diff.result import Reason
from perfduck_diff.runs import Run, Runs
from perfduck_diff.samples import read
from perfduck_diff.stacks import Ints
from perfduck_diff.top import event_of
from perfduck_store.errors import PerfduckError
from perfduck_store.selector import select
from perfduck_store.store import Store, named

Facts = dict[str, Any]  # a row of diff_profiles.sql


@dataclass(frozen=True, slots=True)
class Question:
    """The runs of several groups in one matrix: their columns and profiles, group by group."""

    runs: Runs
    groups: tuple[Ints, ...]
    profiles: tuple[list[int], ...]
    host_class: str
    workload: str
    filters: Filters
    reasons: tuple[Reason, ...]


def chosen(store: Store, selector: str, where: str | None = None) -> dict[int, str]:
    """The profiles a selector means, of those that WHERE means."""
    return select(store, selector, () if where is None else (where,))


def ask(
    store: Store,
    groups: list[dict[int, str]],
    *,
    event: str | None = None,
    filters: Filters | None = None,
) -> Question:
    """Read the runs of all groups over the same stacks."""
    filters = filters or Filters()
    ids = [key for group in groups for key in group]
    _apart(groups)
    name, unit = _event(store, ids, event)
    facts = _facts(store, ids, name, unit)
    sizes = np.cumsum([0, *(len(group) for group in groups)])
    return Question(
        read(store, ids, name, unit, tuple(_run(facts[key], filters) for key in ids), filters),
        tuple(np.arange(start, stop) for start, stop in pairwise(sizes)),
        tuple(list(group) for group in groups),
        _host_class(facts[ids[0]]),
        _workload([facts[key] for key in ids]),
        filters,
        _reasons(filters),
    )


def _event(store: Store, ids: list[int], event: str | None) -> tuple[str, str]:
    """The event to compare and its unit. perf's cpu-clock and OProfile's CPU_CLK_UNHALTED are both
    CPU time: where no event is in all profiles, those in ns are one, `CPU_CLK_UNHALTED|cpu-clock`.
    """
    if event is not None and "|" in event:
        return event, event_of(store, dict.fromkeys(ids, ""), event.split("|")[0])[1]
    name, unit = event_of(store, dict.fromkeys(ids, ""), event)
    rows = store.rows(
        "select profile_id, event, unit from event"
        " where profile_id in (select unnest($p::bigint[])) order by samples, event",
        {"p": ids},
    )
    if event is not None or sum(row[1] == name for row in rows) == len(ids):
        return name, unit
    of_time = {profile: own for profile, own, its_unit in rows if its_unit == "ns"}
    if len(of_time) < len(ids):
        return name, unit
    return "|".join(sorted(set(of_time.values()))), "ns"


def _apart(groups: list[dict[int, str]]) -> None:
    seen: dict[int, str] = {}
    for group in groups:
        both = sorted(group[key] for key in group if key in seen)
        if both:
            message = f"expected different profiles in base and new, got {both[0]} in both"
            raise PerfduckError(message)
        seen |= group


def _facts(store: Store, ids: list[int], event: str, unit: str) -> dict[int, Facts]:
    rows = store.frame(named("diff_profiles"), {"profiles": ids, "event": event}).to_dicts()
    facts = {row["profile_id"]: row for row in rows}
    for row in rows:
        if row["unit"] != unit:
            message = f"{row['name']}: expected {event} in {unit}, got {row['unit']}"
            raise PerfduckError(message)
    if len(facts) < len(ids):
        missing = store.rows("select name from profile where profile_id = $p", {
            "p": next(key for key in ids if key not in facts)
        })  # fmt: skip
        message = f"{missing[0][0]}: expected event {event}, which other runs have"
        raise PerfduckError(message)
    return facts


def _run(facts: Facts, filters: Filters) -> Run:
    kept = filters.kept(facts["duration_s"])
    run = Run(
        name=facts["name"],
        work=facts["work"],
        work_unit=facts["work_unit"],
        duration_s=facts["duration_s"],
        cpus=facts["cpus"],
        kernel_release=facts["kernel_release"],
        host=facts["host"],
        lost=facts["lost"],
        listed=facts["listed"],
        frequency=facts["frequency"],
        has_period=facts["has_period"],
        idle=facts["idle"] or 0.0,
        grain=facts["grain"],
        labels=facts["labels"],
    )
    if kept == 1.0:
        return run
    return replace(
        run,
        work=run.work * kept if run.work else None,
        duration_s=run.duration_s * kept if run.duration_s else None,
        idle=run.idle * kept,
    )


def _host_class(facts: Facts) -> str:
    return f"{facts['arch'] or '?'}/{facts['cpus'] or '?'}"


def _workload(facts: list[Facts]) -> str:
    found = {row["labels"].get("workload", "") for row in facts}
    return found.pop() if len(found) == 1 else ""


def _reasons(filters: Filters) -> tuple[Reason, ...]:
    if filters.from_s is None and filters.to_s is None:
        return ()
    end = "the end" if filters.to_s is None else f"{filters.to_s:g} s"
    span = f"{filters.from_s or 0:g} s to {end}"
    text = f"samples from {span}: work is taken as evenly spread over the run"
    return (Reason(code="time", text=text, blocks=False),)
