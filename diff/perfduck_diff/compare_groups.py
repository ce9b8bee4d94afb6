"""More than two groups side by side: rows the values of a dimension, columns those of a label.

               native   native-ct   docker0-plain   docker0-nat
    conntrack       0        118              0             148     ns/packet, each with +-
    nat             0          0              0              98

and from each column to the next what the step adds, to which row.
"""

from dataclasses import asdict, dataclass

import numpy as np
from scipy import special

from perfduck_diff import net_counts
from perfduck_diff.comparison_input import Question, load_input
from perfduck_diff.engine import rates
from perfduck_diff.engine.dimensions import cells
from perfduck_diff.engine.moderated_t import Design, NodeRates, benjamini_hochberg, fit
from perfduck_diff.engine.noise import Noise, assumed, learn
from perfduck_diff.engine.rates import NoiseClasses, StackRates
from perfduck_diff.engine.result import Change, Reason, RunFacts
from perfduck_diff.engine.run_matrix import RunMatrix
from perfduck_diff.filters import Filters
from perfduck_diff.history import recall, recalled_from
from perfduck_diff.keys import MatrixKey
from perfduck_diff.notes import attachment_notes, lacking
from perfduck_diff.pod_notes import notes_beside
from perfduck_diff.selection import Group
from perfduck_model.arrays import Int64
from perfduck_model.errors import PerfduckError
from perfduck_model.words import did_you_mean, listed
from perfduck_store.protocol import Store
from perfduck_store.selector import select


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A group's cost and how far it is sure: value - reach .. value + reach is 95 %."""

    value: float
    reach: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRow:
    """A value of the dimension over all groups."""

    name: str
    area: str  # of a subsystem; of others empty
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow(Change):
    """What a step adds to a value of the dimension."""

    name: str
    area: str
    q: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStep:
    """From one group to the next."""

    base: str
    new: str
    total: Change
    rows: tuple[StepRow, ...]  # largest growth first


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The whole comparison."""

    unit: str
    event: str
    over: str
    by: MatrixKey
    groups: tuple[str, ...]
    runs: tuple[int, ...]
    facts: tuple[RunFacts, ...]
    total: tuple[Cell, ...]
    rows: tuple[MatrixRow, ...]  # largest difference between groups first
    steps: tuple[GroupStep, ...]
    reasons: tuple[Reason, ...]
    context: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Measured:
    question: Question
    raw: StackRates
    noise: Noise
    rows: NodeRates  # the total, then a row per name
    by_subsystem: NodeRates  # likewise: the total is judged beside these, however it is split
    by: MatrixKey
    names: tuple[str, ...]

    def area(self, name: str) -> str:
        """Of a row."""
        return self.question.runs.area.get(name, "unknown") if self.by == "subsystem" else ""


def compare_groups(
    store: Store,
    selector: str,
    over: str,
    *,
    order: tuple[str, ...] = (),
    by: MatrixKey = "subsystem",
    filters: Filters | None = None,
) -> Matrix:
    """Group the profiles by the label OVER and compare them; by total cost without an order."""
    filters = filters or Filters()
    selected = select(store, selector, filters.where)
    groups = _groups(store, selected, over)
    names = list(order) if order else list(groups)
    _check_order(order, over, list(groups))
    question = load_input(store, {name: groups[name] for name in names}, filters)
    try:
        if not order:
            by_cost = _by_cost(question)
            question, names = question.reordered(by_cost), [names[place] for place in by_cost]
        measured = _measured(store, question, by)
    except rates.CannotDivideError as error:
        raise PerfduckError(str(error)) from error
    context = [
        line
        for name, profiles in zip(names, question.profiles, strict=True)
        for line in (
            *attachment_notes(store, name, profiles),
            *(f"{name}: {each}" for each in lacking(store, question.selection, profiles)),
        )
    ]
    if by in ("direction", "traversal") and not store.attachments.net_counts(selected):
        context.append(net_counts.NOTHING)
    context += [note.text for note in notes_beside(question.selection, by)]
    context += recalled_from(store, question, None)
    context += _left_out(selected, {name: groups[name] for name in names}, over)
    return _matrix(measured, over, tuple(names), tuple(context))


def _left_out(selected: Group, groups: dict[str, Group], over: str) -> list[str]:
    """The selected runs that are in no column."""
    shown = {key for group in groups.values() for key in group}
    names = [name for key, name in selected.items() if key not in shown]
    return [f"in no column: {listed(names)} (by label {over})"] if names else []


def _check_order(order: tuple[str, ...], over: str, values: list[str]) -> None:
    for name in order:
        if name not in values:
            hint = did_you_mean(name, values)
            raise PerfduckError.at(
                where=f"--order {','.join(order)}",
                expected=f"values of label {over}",
                got=f"{name}: {hint}there are {listed(values)}",
            )
    if len(set(order)) < max(len(order), 2) and order:
        message = f"--order {','.join(order)}: expected two values or more, each once"
        raise PerfduckError(message)


def _groups(store: Store, profiles: dict[int, str], over: str) -> dict[str, dict[int, str]]:
    stored = store.profiles.of(profiles)
    groups: dict[str, dict[int, str]] = {}
    for each in stored:
        if over in each.labels:
            groups.setdefault(each.labels[over], {})[each.profile_id] = each.name
    if len(groups) < 2:
        labels = sorted({key for each in stored for key in each.labels})
        hint = "" if over in labels else did_you_mean(over, labels)
        raise PerfduckError.at(
            where=f"--over {over}",
            expected="at least two values of this label",
            got=(
                f"{listed(list(groups)) or 'none'}: {hint}the labels are {listed(labels) or 'none'}"
            ),
        )
    return groups


def _by_cost(question: Question) -> list[int]:
    """The groups, the cheapest first."""
    totals = StackRates.of(question.runs).totals
    means = [totals[group].mean() for group in question.groups]
    return [int(place) for place in np.argsort(means, kind="stable")]


def _measured(store: Store, question: Question, by: MatrixKey) -> _Measured:
    runs, raw = question.runs, StackRates.of(question.runs)
    classes = NoiseClasses.of_stacks(runs)
    known = recall(store, question, None)
    prior = known.over(classes.names) if known else assumed(classes.names)
    noise = learn(prior, classes.groups(raw, question.groups))
    split = cells(runs, by)
    rows, by_subsystem = (
        _with_total(raw, classes.rows(each, raw.unit)) for each in (split, cells(runs, "subsystem"))
    )
    return _Measured(question, raw, noise, rows, by_subsystem, by, split.names)


def _with_total(raw: StackRates, parts: NodeRates) -> NodeRates:
    return NodeRates(
        np.vstack([raw.totals, parts.rates]), np.vstack([parts.mix.sum(axis=0), parts.mix])
    )


def _matrix(
    measured: _Measured, over: str, names: tuple[str, ...], context: tuple[str, ...]
) -> Matrix:
    question = measured.question
    places = range(len(names))
    cells = [_cells(measured, measured.rows, place) for place in places]
    totals = [_cells(measured, measured.by_subsystem, place)[0] for place in places]
    rows = [
        MatrixRow(
            name=name,
            area=measured.area(name),
            cells=tuple(column[row + 1] for column in cells),
        )
        for row, name in enumerate(measured.names)
    ]
    return Matrix(
        unit=measured.raw.unit.unit,
        event=question.runs.event,
        over=over,
        by=measured.by,
        groups=names,
        runs=tuple(len(group) for group in question.groups),
        facts=tuple(_facts(question.runs, group) for group in question.groups),
        total=tuple(totals),
        rows=tuple(sorted(rows, key=lambda row: (-_range(row), row.name))),
        steps=tuple(_step(measured, names, position) for position in range(len(names) - 1)),
        reasons=(*measured.raw.unit.reasons, *question.reasons),
        context=context,
    )


def _facts(runs: RunMatrix, columns: Int64) -> RunFacts:
    some = [runs.runs[column] for column in columns]
    works = [run.work for run in some if run.work]
    durations = [run.duration_s for run in some if run.duration_s]
    return RunFacts(
        runs=len(some),
        work=float(np.mean(works)) if works else None,
        duration_s=float(np.mean(durations)) if durations else None,
        samples=int(runs.hits[:, columns].sum()),
    )


def _range(row: MatrixRow) -> float:
    values = [cell.value for cell in row.cells]
    return max(values) - min(values)


def _cells(measured: _Measured, rows: NodeRates, position: int) -> list[Cell]:
    """Mean of a group, with the variance that the noise expects and the group shows."""
    group = measured.question.groups[position]
    rates, size = rows.rates[:, group], len(group)
    mean = rates.mean(axis=1)
    grain = measured.raw.weight_per_sample[group]
    within, between = measured.noise.variance(mean[:, None], grain, rows.mix)
    expected = (within + between).mean(axis=1)
    certain = measured.noise.certainty(rows.mix)
    own = rates.var(axis=1, ddof=1) if size > 1 else np.zeros(len(mean))
    freedom = certain + size - 1
    variance = np.maximum((certain * expected + (size - 1) * own) / freedom, within.mean(axis=1))
    reach = special.stdtrit(freedom, 0.975) * np.sqrt(variance / size)
    return [Cell(value=v, reach=r) for v, r in zip(mean.tolist(), reach.tolist(), strict=True)]


def _step(measured: _Measured, names: tuple[str, ...], position: int) -> GroupStep:
    total = _changes(measured, measured.by_subsystem, position)[0]
    changes = _changes(measured, measured.rows, position)[1:]
    q = benjamini_hochberg(np.array([change.p for change in changes])).tolist()
    rows = [
        StepRow(name=name, area=measured.area(name), q=adjusted, **asdict(change))
        for name, adjusted, change in zip(measured.names, q, changes, strict=True)
    ]
    return GroupStep(
        base=names[position],
        new=names[position + 1],
        total=total,
        rows=tuple(sorted(rows, key=lambda row: (-row.delta, row.name))),
    )


def _changes(measured: _Measured, rows: NodeRates, position: int) -> list[Change]:
    """Of each row, from a group to the next."""
    groups = measured.question.groups
    design = Design(groups[position], groups[position + 1], measured.raw.weight_per_sample)
    test = fit(rows, design, measured.noise)(rows)
    means = [rows.rates[:, side].mean(axis=1) for side in design.sides]
    columns = (*means, test.delta, *test.limits(), test.growth)
    numbers = zip(*(column.tolist() for column in columns), strict=True)
    return [Change(base=b, new=n, delta=d, low=lo, high=hi, p=p) for b, n, d, lo, hi, p in numbers]
