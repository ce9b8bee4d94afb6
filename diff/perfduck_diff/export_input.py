"""From the store to what an exporter needs: the picked samples of one side or of two, their call
chains and functions, and what each side's weight is divided by per unit of work.

Samples are read run by run, so that no more than one run of them is in memory.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from perfduck_diff.filters import Filters
from perfduck_diff.notes import lacking_notes
from perfduck_diff.pods import pods_of
from perfduck_diff.selection import Note, Selection, check_apart, select_samples
from perfduck_diff.work import Amount, work_of
from perfduck_model.errors import PerfduckError
from perfduck_store.protocol import Store
from perfduck_store.records import ProfileDetails, StackWeight
from perfduck_store.selector import select

if TYPE_CHECKING:
    import polars as pl

_MOST = (1 << 63) - 1  # what export_samples.sql cuts off at


@dataclass(frozen=True, slots=True)
class ExportRun:
    """A run of a side; `number` is its place in the selection, `work` that of the time that is
    looked at, if any is known."""

    number: int
    profile_id: int
    facts: ProfileDetails
    work: float | None


@dataclass(frozen=True, slots=True)
class ExportSide:
    """The runs of a selector. `amount`: what their weight is divided by, in which unit."""

    selector: str
    runs: tuple[ExportRun, ...]
    amount: Amount


@dataclass(frozen=True, slots=True)
class ExportInput:
    """What is exported: one side, or base and new. `per_work`: weights are to be per unit of work,
    in a format that has one weight only."""

    sides: tuple[ExportSide, ...]
    selection: Selection
    notes: tuple[Note, ...]
    per_work: bool
    pods: Mapping[str, str] = field(default_factory=dict)  # of control groups, by their paths

    @property
    def event(self) -> str:
        """The event that the samples are of."""
        return self.selection.event

    @property
    def unit(self) -> str:
        """The unit of their weights."""
        return self.selection.unit

    @property
    def work_unit(self) -> str | None:
        """ns/packet where all sides have their work in one unit; None where not."""
        units = {side.amount.unit if side.amount.is_work else None for side in self.sides}
        return units.pop() if len(units) == 1 else None

    def largest(self) -> float:
        """The weight per unit of work without idle, of the side that has more of it; of idle where
        there is no other."""
        sides = [
            ([self.selection.weights[run.profile_id] for run in side.runs], side.amount.divisor)
            for side in self.sides
        ]
        busy = max(sum(each.busy for each in runs) / divisor for runs, divisor in sides)
        return busy or max(sum(each.idle for each in runs) / divisor for runs, divisor in sides)

    def chains(self) -> "pl.DataFrame":
        """See PickedSamples.chains."""
        return self.selection.samples.chains()

    def functions(self) -> "pl.DataFrame":
        """See PickedSamples.functions."""
        return self.selection.samples.functions()

    def weights(self, *runs: ExportRun) -> list[StackWeight]:
        """The exact weights of runs, by stack and command."""
        return self.selection.samples.stack_weights([run.number for run in runs])

    def samples(
        self, side: ExportSide, *, with_times: bool = False
    ) -> "Iterator[tuple[ExportRun, pl.DataFrame]]":
        """The samples of each run: see PickedSamples.samples. PerfduckError where a sum has more
        than 63 bits."""
        for run in side.runs:
            rows = self.selection.samples.samples(run.number, with_times=with_times)
            if (rows["weight"] == _MOST).any():
                raise PerfduckError.at(
                    run.facts.name, expected="sums of at most 63 bits", got="a larger one"
                )
            yield run, rows


def load_export(
    store: Store, selector: str, base: str | None, filters: Filters, *, per_work: bool
) -> ExportInput:
    """The samples of a selector, and of `base` before it where that is given: both are per unit of
    work then, where that is known. PerfduckError where `per_work` is asked for and the work is not
    known in one unit."""
    titles = {"": selector} if base is None else {"base": base, "new": selector}
    groups = {title: select(store, typed, filters.where) for title, typed in titles.items()}
    check_apart(groups.values())
    selection = select_samples(store, groups, filters, ("comm",), with_idle=True)
    sides = _sides(store, selection, list(titles.values()), filters)
    if per_work:
        _check_work(sides)
    notes = (*selection.notes, *lacking_notes(store, selection), *_arcs(selection))
    pods = _pods(store, selection)
    data = ExportInput(sides, selection, (*notes, *_work_notes(sides)), per_work, pods)
    is_known = base is not None and data.work_unit is not None
    return replace(data, per_work=True) if is_known else data


def _pods(store: Store, selection: Selection) -> dict[str, str]:
    groups = [each for each in selection.samples.values("cgroup") if each.value is not None]
    if not groups:
        return {}
    names = store.attachments.pods(list(selection.profiles))
    return {each.cgroup: each.pod for each in pods_of(groups, names)}


def _sides(
    store: Store, selection: Selection, selectors: list[str], filters: Filters
) -> tuple[ExportSide, ...]:
    runs = {
        key: _run(number, key, store.profiles.details(key), filters)
        for number, key in enumerate(selection.profiles)
    }
    return tuple(
        ExportSide(
            selector,
            tuple(runs[key] for key in group),
            work_of(store, selection, filters, list(group)),
        )
        for selector, group in zip(selectors, selection.groups, strict=True)
    )


def _run(number: int, key: int, facts: ProfileDetails, filters: Filters) -> ExportRun:
    work = None if facts.work is None else facts.work * filters.kept(facts.duration_s)
    return ExportRun(number, key, facts, work)


def _check_work(sides: tuple[ExportSide, ...]) -> None:
    for side in sides:
        if not side.amount.is_work:
            why = [note.text.partition(": ")[2] for note in side.amount.notes]
            raise PerfduckError.at(
                where="--per-work",
                expected=f"the work of all profiles of {side.selector} in one unit",
                got=why[0] if why else "none (perfduck edit SELECTOR --work N --unit U)",
            )
    if len(units := {side.amount.unit for side in sides}) > 1:
        raise PerfduckError.at(
            where="--per-work", expected="one unit of work", got=" and ".join(sorted(units))
        )


def _work_notes(sides: tuple[ExportSide, ...]) -> tuple[Note, ...]:
    return tuple(dict.fromkeys(note for side in sides for note in side.amount.notes))


def _arcs(selection: Selection) -> tuple[Note, ...]:
    names = selection.samples.with_arcs()
    if not names:
        return ()
    text = "arcs of OProfile are not exported: its stacks are of one function"
    return (Note("lacking", text),)
