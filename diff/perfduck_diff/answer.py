"""A request as the command line has it, answered from the store."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from perfduck_diff import budget, rates
from perfduck_diff.checks import Bounds
from perfduck_diff.comparison import Options, TreeName
from perfduck_diff.context import lines
from perfduck_diff.engine import diff
from perfduck_diff.history import recall
from perfduck_diff.provenance import provenance
from perfduck_diff.question import Filters, Question, ask, chosen
from perfduck_diff.result import Diff
from perfduck_store.errors import PerfduckError
from perfduck_store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to compare with what, and how."""

    base: str
    new: str
    where: str | None = None
    event: str | None = None
    filters: Filters = field(default_factory=Filters)
    tree: TreeName = "rerooted"
    per: rates.Per | None = None
    paired: bool = False
    smallest: float = 0.0
    budget: Path | None = None
    allow_kernel_change: bool = False


def answer(store: Store, request: Request) -> Diff:
    """The diff."""
    sides = [chosen(store, side, request.where) for side in (request.base, request.new)]
    if request.paired and len(sides[0]) != len(sides[1]):
        counts = f"{len(sides[0])} and {len(sides[1])}"
        message = f"--paired: expected as many runs of base as of new, got {counts}"
        raise PerfduckError(message)
    question = ask(store, sides, event=request.event, filters=request.filters)
    options = _options(store, question, request)
    try:
        found = diff(question.runs, question.groups[0], question.groups[1], options)
    except rates.CannotDivideError as error:
        raise PerfduckError(str(error)) from error
    context = [
        line
        for title, profiles in zip(("base", "new"), sides, strict=True)
        for line in (
            *lines(store, title, list(profiles)),
            *(f"{title}: {each}" for each in provenance(store, profiles, found.event)),
        )
    ]
    return replace(found, reasons=(*found.reasons, *question.reasons), context=tuple(context))


def _options(store: Store, question: Question, request: Request) -> Options:
    budgets = budget.read(request.budget) if request.budget else None
    return Options(
        tree=request.tree,
        per=request.per,
        paired=request.paired,
        smallest=request.smallest,
        noise=recall(store, question, request.per),
        bounds=_bounds(budgets, request),
        budgets=budgets,
    )


def _bounds(budgets: budget.Budgets | None, request: Request) -> Bounds:
    weight = dict(budgets.doubts) if budgets else {}
    if request.allow_kernel_change:
        weight["kernel"] = "note"
    return Bounds(weight=weight, **(budgets.bounds if budgets else {}))
