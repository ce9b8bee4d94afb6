"""What the weight of profiles taken together is divided by.

2 profiles of 2,000,000 packets      ns/packet
no work, or not of one unit          ms, and a note that says why
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from perfduck_diff.engine.result import RunFacts
from perfduck_diff.filters import Filters
from perfduck_diff.selection import Note, Selection
from perfduck_model.words import in_units, listed
from perfduck_store.protocol import Store

_SHOWN = 3  # profiles in a note


@dataclass(frozen=True, slots=True)
class Amount:
    """The divisor of a weight, the unit of the quotient, and notes in words. `is_work`: the divisor
    is work, and not a scale."""

    divisor: float
    unit: str
    notes: tuple[Note, ...] = ()
    is_work: bool = False


def work_of(
    store: Store, selection: Selection, filters: Filters, chosen: Sequence[int] | None = None
) -> Amount:
    """The work of all profiles of the selection, or of the chosen ones, of the time that is looked
    at; in ms where it is not known."""
    profiles = store.profiles.of(selection.profiles if chosen is None else chosen)
    units = Counter(each.work_unit for each in profiles if each.work_unit is not None)
    lacking = [each.name for each in profiles if each.work_unit is None]
    if len(units) == 1 and not lacking:
        work = sum((each.work or 0.0) * filters.kept(each.duration_s) for each in profiles)
        spread = Note("work", "work is taken as evenly spread over each run")
        notes = (spread,) if filters.has_times else ()
        return Amount(work, f"{selection.unit}/{next(iter(units))}", notes, is_work=True)
    divisor, unit = (1e6, "ms") if selection.unit == "ns" else (1.0, selection.unit)
    return Amount(divisor, unit, _undivided(units, lacking))


def _undivided(units: Counter[str], lacking: list[str]) -> tuple[Note, ...]:
    """Why a weight is not per unit of work, where some of the profiles say theirs."""
    if not units:
        return ()
    why = f"not known for {listed(lacking, _SHOWN)}" if lacking else in_units(units)
    return (Note("work", f"not per unit of work: {why}"),)


def facts_of(store: Store, selection: Selection, filters: Filters) -> RunFacts:
    """Mean length and work of the runs, of the time that is looked at, and their samples."""
    parts = [
        (each, filters.kept(each.duration_s)) for each in store.profiles.of(selection.profiles)
    ]
    lasted = [each.duration_s * part for each, part in parts if each.duration_s]
    works = [each.work * part for each, part in parts if each.work]
    has_work = len(works) == len(parts) and len({each.work_unit for each, _ in parts}) == 1
    return RunFacts(
        runs=len(parts),
        samples=sum(weight.samples for weight in selection.weights.values()),
        duration_s=sum(lasted) / len(lasted) if lasted else None,
        work=sum(works) / len(works) if has_work else None,
    )
