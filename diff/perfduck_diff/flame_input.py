"""From the store to what a flame graph needs: of a diff's request, or of one selector."""

from dataclasses import dataclass

import numpy as np

from perfduck_diff.answer import DiffRequest
from perfduck_diff.comparison_input import Question, load_input
from perfduck_diff.engine.comparison import TreeName
from perfduck_diff.engine.flame import Flame, Heat, flame, hottest
from perfduck_diff.engine.rates import SubsystemRuns, subsystem_runs
from perfduck_diff.filters import Filters
from perfduck_diff.notes import lacking_notes
from perfduck_diff.selection import Note
from perfduck_store.protocol import Store
from perfduck_store.selector import select


@dataclass(frozen=True, slots=True)
class Drawing:
    """One side: its profiles, its flame (as new; base is zero), its hottest functions, and what is
    merged, left out, narrowed or lacking."""

    profiles: tuple[str, ...]
    flame: Flame
    heat: tuple[Heat, ...]
    notes: tuple[Note, ...] = ()


def compared(request: DiffRequest, question: Question) -> Flame:
    """The flame of the same samples and tree that the request's diff is about."""
    base, new = question.groups
    return flame(question.runs, base, new, tree=request.tree, per=request.per)


def by_run(request: DiffRequest, question: Question) -> tuple[SubsystemRuns, ...]:
    """What the runs of the request's diff cost, by subsystem."""
    base, new = question.groups
    return subsystem_runs(question.runs, base, new, request.per)


def alone(
    store: Store, selector: str, filters: Filters | None = None, tree: TreeName = "rerooted"
) -> Drawing:
    """The flame of the selected profiles, mean of the runs."""
    filters = filters or Filters()
    question = load_input(store, {"": select(store, selector, filters.where)}, filters)
    runs, columns = question.runs, question.groups[0]
    drawn = flame(runs, np.arange(0), columns, tree=tree)
    return Drawing(
        tuple(run.name for run in runs.runs),
        drawn,
        tuple(hottest(runs, columns)),
        (*question.selection.notes, *lacking_notes(store, question.selection)),
    )
