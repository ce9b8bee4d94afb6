"""A request as the command line has it, answered from the store."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from perfduck_diff.budget_suggestion import check_names
from perfduck_diff.comparison_input import Question, load_input
from perfduck_diff.engine import budget, rates
from perfduck_diff.engine.checks import Bounds
from perfduck_diff.engine.comparison import DiffOptions, TreeName
from perfduck_diff.engine.result import Diff, Reason
from perfduck_diff.engine.run_diff import run_diff
from perfduck_diff.engine.scan import LEVEL
from perfduck_diff.filters import Filters
from perfduck_diff.history import recall, recalled_from
from perfduck_diff.like_runs import AB_LABEL, RUN_LABEL, SIDE_LABEL, spread_of_like_runs
from perfduck_diff.newest_runs import newest_runs
from perfduck_diff.notes import attachment_notes, lacking, provenance
from perfduck_diff.pod_notes import comparison_notes
from perfduck_diff.selection import NothingSelectedError
from perfduck_model.errors import PerfduckError
from perfduck_store.protocol import Store
from perfduck_store.selector import select

SIDES = ("base", "new")
LEAST_PAIRS = 2  # one pair has no spread


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffRequest:
    """What to compare with what, and how."""

    base: str
    new: str
    filters: Filters = field(default_factory=Filters)
    tree: TreeName = "rerooted"
    per: rates.Per | None = None
    paired: bool = False
    smallest: float = 0.0
    tolerance: float = 0.05
    budget: Path | None = None
    allow_kernel_change: bool = False
    last: int | None = None  # of base only the newest so many that are like new
    # Of the exact test, for pairs that were recorded in random order; None: that of one look where
    # the labels of `ab` say so, else no such test.
    exact_level: float | None = None


def resolve_sides(store: Store, request: DiffRequest) -> Question:
    """The runs of both sides: what `answer` and a drawing of the same diff go by. They stay picked
    in the store until another question is asked."""
    where = request.filters.where
    base, new = (select(store, side, where) for side in (request.base, request.new))
    reasons: tuple[Reason, ...] = ()
    if request.last is not None:
        any_kernel = request.allow_kernel_change
        base, reason = newest_runs(store, base, new, request.last, any_kernel=any_kernel)
        reasons = (reason,)
    if request.paired:
        base, new = paired(store, base, new)
    question = load_input(store, dict(zip(SIDES, (base, new), strict=True)), request.filters)
    return replace(question, reasons=(*reasons, *question.reasons))


def compare_profiles(store: Store, request: DiffRequest, question: Question) -> Diff:
    """The diff; of a hybrid CPU with those of its other core PMUs."""
    answer = _of_one_event(store, request, question)
    others, reasons = [], []
    for event in question.selection.other_pmus:
        other = replace(request, filters=replace(request.filters, event=(event,)))
        try:
            others.append(_of_one_event(store, other, resolve_sides(store, other)))
        except PerfduckError as error:
            is_nothing = isinstance(error, NothingSelectedError)
            text = f"{event}: {error}"
            reasons.append(Reason(code="event", text=text, blocks=not is_nothing))
    return answer.with_other_pmus(tuple(others), tuple(reasons))


def _of_one_event(store: Store, request: DiffRequest, question: Question) -> Diff:
    base, new = question.groups
    try:
        result = run_diff(question.runs, base, new, _options(store, question, request))
    except rates.CannotDivideError as error:
        raise PerfduckError(str(error)) from error
    context = [
        line
        for title, profiles in zip(SIDES, question.profiles, strict=True)
        for line in (
            *attachment_notes(store, title, profiles),
            *(f"{title}: {each}" for each in lacking(store, question.selection, profiles)),
            *(f"{title}: {each}" for each in provenance(store, question.selection, profiles)),
        )
    ]
    context += _beside(question)
    context += recalled_from(store, question, request.per)
    return replace(result, context=tuple(context))


def _beside(question: Question) -> list[str]:
    samples = float(question.runs.hits.sum())
    return [note.text for note in comparison_notes(question.selection, samples)]


def paired(store: Store, base: dict[int, str], new: dict[int, str]) -> list[dict[int, str]]:
    """Both sides in the order of their label `run`, of which each must have the same; by name where
    runs have no such label."""
    labels = {each.profile_id: each.labels for each in store.profiles.of([*base, *new])}
    runs = [
        {labels[key].get(RUN_LABEL, f"#{place}"): key for place, key in enumerate(side, 1)}
        for side in (base, new)
    ]
    if set(runs[0]) != set(runs[1]) or not len(runs[0]) == len(base) == len(new):
        text = " and ".join(", ".join(sorted(own)) for own in runs)
        raise PerfduckError.at(where="--paired", expected="the same runs of base and new", got=text)
    if len(base) < LEAST_PAIRS:
        expected = f"{LEAST_PAIRS} runs a side or more"
        raise PerfduckError.at(where="--paired", expected=expected, got=len(base))
    names = base | new
    return [{own[run]: names[own[run]] for run in sorted(runs[0])} for own in runs]


def _options(store: Store, question: Question, request: DiffRequest) -> DiffOptions:
    budgets = budget.read(request.budget) if request.budget else None
    if budgets:
        check_names(budgets, question.runs)
    return DiffOptions(
        tree=request.tree,
        per=request.per,
        paired=request.paired,
        smallest=request.smallest,
        tolerance=request.tolerance,
        exact_level=_exact_level(question, request),
        noise=recall(store, question, request.per),
        like=spread_of_like_runs(question, request.per),
        doubts=question.reasons,
        bounds=_bounds(budgets, request),
        budgets=budgets,
    )


def _exact_level(question: Question, request: DiffRequest) -> float | None:
    if request.exact_level is not None or not request.paired:
        return request.exact_level
    return LEVEL if _is_ab(question) else None


def _is_ab(question: Question) -> bool:
    """Whether the sides are those of one `ab`, which recorded them in random order."""
    labels = [[question.runs.runs[column].labels for column in side] for side in question.groups]
    names = {each.get(AB_LABEL) for side in labels for each in side}
    sides = [{each.get(SIDE_LABEL) for each in side} for side in labels]
    is_one = all(len(values) == 1 and None not in values for values in (names, *sides))
    return is_one and sides[0] != sides[1]


def _bounds(budgets: budget.Budgets | None, request: DiffRequest) -> Bounds:
    weight = dict(budgets.doubts) if budgets else {}
    if request.allow_kernel_change:
        weight["kernel"] = "note"
    return Bounds(weight=weight, **(budgets.bounds if budgets else {}))
