"""Questions about several groups of runs, and what is known of the spread between runs."""

from collections.abc import Sequence
from functools import partial

from perfduck.diff_result import BudgetSuggestion, CompareResult, DiffResult
from perfduck.opening import StorePlace
from perfduck.tables import Table
from perfduck_diff import history
from perfduck_diff.answer import DiffRequest, compare_profiles, resolve_sides
from perfduck_diff.budget_suggestion import suggest
from perfduck_diff.compare_groups import compare_groups
from perfduck_diff.filters import Filters
from perfduck_diff.flame_input import by_run, compared
from perfduck_diff.keys import MatrixKey
from perfduck_model.errors import PerfduckError
from perfduck_report import tables
from perfduck_report.names import visible
from perfduck_report.numbers import many
from perfduck_report.screen import PIPE, Screen


def diff(file: StorePlace, request: DiffRequest) -> DiffResult:
    """Base against new."""
    with file.read() as store:
        question = resolve_sides(store, request)
        answer = compare_profiles(store, request, question)
    return DiffResult(
        answer, partial(compared, request, question), partial(by_run, request, question)
    )


def compare(
    file: StorePlace,
    selector: str,
    over: str,
    order: Sequence[str],
    by: MatrixKey,
    filters: Filters,
) -> CompareResult:
    """The groups that a label makes."""
    with file.read() as store:
        return CompareResult(
            compare_groups(store, selector, over, order=tuple(order), by=by, filters=filters)
        )


def suggest_budget(
    file: StorePlace, selector: str, keep: float, runs: int, filters: Filters
) -> BudgetSuggestion:
    """Budgets that runs of this thing keep."""
    with file.read() as store:
        return BudgetSuggestion(suggest(store, selector, keep, runs, filters))


def learn_noise(file: StorePlace, selector: str, event: str | None) -> Table:
    """Learn the spread between runs."""
    if event == "":
        raise PerfduckError.at(where="--event", expected="an event", got="nothing")
    with file.write() as store:
        learned, unused = history.learn_from(store, selector, event)
    return Table(learned, partial(_with_terms, notes=unused), unused)


def noise(file: StorePlace) -> Table:
    """What was learned."""
    with file.read() as store:
        return Table(history.learned(store), _with_terms)


def forget_noise(file: StorePlace, selector: str | None) -> Table:
    """Forget what was learned; what that was."""
    with file.write() as store:
        return Table(history.forget(store, selector), _forgotten)


def _with_terms(rows: tables.Answer, screen: Screen = PIPE, *, notes: tuple[str, ...] = ()) -> str:
    if not rows.rows():
        return "nothing learned yet: perfduck noise learn SELECTOR learns from runs\n"
    text = "".join(f"{visible(note)}\n" for note in notes)
    return f"{_NOISE_TERMS}\n{tables.text(rows, screen)}{text}"


def _forgotten(rows: tables.Answer, _: Screen = PIPE) -> str:
    lines: dict[tuple[str, str, str], int] = {}
    places = [list(rows.columns).index(name) for name in ("workload", "unit", "host_class")]
    for row in rows.rows():
        workload, unit, host = (row[place] for place in places)
        lines[workload, unit, host] = lines.get((workload, unit, host), 0) + 1
    return "".join(
        f"forgot {visible(_kind(*key))}: {many(count, 'subsystem')}\n"
        for key, count in lines.items()
    )


def _kind(workload: str, unit: str, host: str) -> str:
    return f"workload {workload or '(no label)'}, {unit}, on {host}"


_NOISE_TERMS = """\
host_class: architecture/CPUs of the recording; ? where it does not say
cv: standard deviation between runs over their mean, without what sampling adds
phi: variance within a run over that of independent samples; 1 where they are independent
freedom: degrees of freedom behind cv, up to 200: those of the prior (4; 3 for `run`), and at most
  runs - 1 of each group of like runs, fewer where samples hide what runs differ by"""
