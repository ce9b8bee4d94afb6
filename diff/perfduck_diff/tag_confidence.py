"""Whether an answer is about the load, how sure the tags are, and which self weight is misplaced.

tags by weight: 81.9 % catalogue, 17.0 % rule, 1.0 % neighbour, 0.1 % unknown
21.4 % of the weight was spent with interrupts off before _raw_spin_unlock_irqrestore, ...
"""

from collections.abc import Iterable

from perfduck_diff.programs import other_programs
from perfduck_diff.selection import Selection
from perfduck_store.protocol import Store
from perfduck_store.records import FunctionWeight, TagShare
from perfduck_tags.methods import INEXACT

_NAMED = 3  # functions that a line names


def provenance(
    store: Store, selection: Selection, profiles: Iterable[int] | None = None
) -> tuple[str, ...]:
    """Of the selection that is picked, or of some of its profiles: a line on programs other than
    the load, one on the tags where they are not all exact, and one on what only looks hot."""
    places = {key: run for run, key in enumerate(selection.profiles)}
    chosen = list(places if profiles is None else profiles)
    runs = [places[key] for key in chosen]
    busy = sum(selection.weights[key].busy for key in chosen)
    return (
        *other_programs(store, selection, chosen),
        *_tags(selection.samples.tag_methods(runs)),
        *_artefacts(selection.samples.artefacts(runs), busy),
    )


def _tags(methods: list[TagShare]) -> list[str]:
    if not any(each.method in INEXACT and each.share for each in methods):
        return []
    parts = (
        f"{100 * each.share:.{1 if each.share >= 0.001 else 3}f} % {each.method}"
        for each in methods
    )
    return [f"tags by weight: {', '.join(parts)}"]


def _artefacts(artefacts: list[FunctionWeight], busy: float) -> list[str]:
    if not artefacts or not busy:
        return []
    share = sum(each.weight for each in artefacts) / busy
    names = [each.function for each in artefacts]
    more = ", ..." if len(names) > _NAMED else ""
    return [
        f"{100 * share:.1f} % of self time is an artifact of disabled interrupts, not contention:",
        f"  {', '.join(names[:_NAMED])}{more}",
    ]
