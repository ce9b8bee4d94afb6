"""What is drawn of samples: a flame graph, a function between callers and callees, a timeline."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from perfduck.opening import StorePlace
from perfduck.tables import Table
from perfduck_diff.comparison_input import Question, load_input
from perfduck_diff.engine import sandwich as engine
from perfduck_diff.engine.comparison import TreeName
from perfduck_diff.engine.rates import CannotDivideError, Per
from perfduck_diff.filters import Filters
from perfduck_diff.flame_input import Drawing, alone
from perfduck_diff.selection import Note, select_samples
from perfduck_model.errors import PerfduckError
from perfduck_report import sandwich as sandwich_report
from perfduck_report.names import visible
from perfduck_store.protocol import Store
from perfduck_store.selector import select


@dataclass(frozen=True, slots=True, repr=False)
class SandwichResult:
    """A function between its callers and its callees; `data` has both trees, typed. `notes`: what
    is merged, left out or narrowed."""

    data: engine.Sandwich
    notes: tuple[Note, ...] = ()

    def to_json(self) -> str:
        """Both trees in the unit that fits, as the pages draw them."""
        return sandwich_report.as_json(self.data)

    def __repr__(self) -> str:
        return f"SandwichResult({self.data.function})"


def flame(file: StorePlace, selector: str, tree: TreeName, filters: Filters) -> Drawing:
    """The call tree of the selected profiles, mean of the runs."""
    with file.read() as store:
        return alone(store, selector, filters, tree)


def sandwich(
    file: StorePlace, sides: tuple[str, ...], function: str, per: Per | None, filters: Filters
) -> SandwichResult:
    """Of one selector, or of base and new."""
    with file.read() as store:
        titles = ("",) if len(sides) == 1 else ("base", "new")
        groups = {
            title: select(store, side, filters.where)
            for title, side in zip(titles, sides, strict=True)
        }
        question = load_input(store, groups, filters)
        function = _recorded(store, question, function)
    base, new = (np.arange(0), *question.groups)[-2:]
    try:
        trees = engine.sandwich(question.runs, base, new, function, per)
    except CannotDivideError as error:
        raise PerfduckError(str(error)) from error
    return SandwichResult(trees, question.selection.notes)


def _recorded(store: Store, question: Question, function: str) -> str:
    """The name as the recordings have it; an answer shows `\\x1b` where they have another thing."""
    names = dict.fromkeys(frame.name for frame in question.runs.frames)
    if function in names:
        return function
    for name in names:
        if visible(name) == function:
            return name
    close = store.symbols.similar(function)
    hint = "" if close is None else f": did you mean {close}?"
    raise PerfduckError.at(
        function or "function", expected="a function in the store", got=f"none of that name{hint}"
    )


def timeline(file: StorePlace, selector: str, bucket_s: float, filters: Filters) -> Table:
    """The samples of each profile over its time."""
    with file.read() as store:
        groups = {"": select(store, selector, filters.where)}
        selection = select_samples(store, groups, replace(filters, from_s=None, to_s=None))
        hits = selection.samples.timeline(round(bucket_s * 1e9))
    names = list(selection.profiles.values())
    rows = hits.select(
        pl.Series("profile", names, dtype=pl.String).gather(hits["run"]),
        (pl.col("bucket") * bucket_s).round(9).alias("start_s"),
        "hits",
    )
    return Table(rows, notes=tuple(note.text for note in selection.notes))
