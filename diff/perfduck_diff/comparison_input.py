"""From the store to runs: which profiles, which samples, which frames.

scenario=native        BASE, a selector
scenario=docker0-nat   NEW
workload=udp64         --where: holds for both sides
--skip 1 --comm iperf3 which samples
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np

from perfduck_diff.engine.result import Reason
from perfduck_diff.engine.run_matrix import Run, RunMatrix
from perfduck_diff.filters import Filters
from perfduck_diff.samples import read
from perfduck_diff.selection import Group, Selection, select_samples
from perfduck_model.arrays import Int64
from perfduck_model.errors import PerfduckError
from perfduck_store.protocol import Store
from perfduck_store.records import PickedRun


@dataclass(frozen=True, slots=True)
class Question:
    """The runs of several groups in one matrix: their columns and profiles, group by group."""

    runs: RunMatrix
    groups: tuple[Int64, ...]
    profiles: tuple[list[int], ...]
    filters: Filters
    reasons: tuple[Reason, ...]
    selection: Selection

    @property
    def host_class(self) -> str:
        """Architecture and CPUs of the first run, as noise is learned by: x86_64/2."""
        first = self.runs.runs[0]
        return f"{first.arch or '?'}/{first.cpus or '?'}"

    @property
    def workload(self) -> str:
        """The label `workload` of the runs; '' where they have none, or several."""
        found = {run.labels.get("workload", "") for run in self.runs.runs}
        return found.pop() if len(found) == 1 else ""

    def reordered(self, groups: Sequence[int]) -> Self:
        """The same with group `groups[i]` at place i. The selection stays as it is picked."""
        columns = [self.groups[group] for group in groups]
        return replace(
            self,
            runs=self.runs.reordered(np.concatenate(columns)),
            groups=_columns([len(each) for each in columns]),
            profiles=tuple(self.profiles[group] for group in groups),
        )


def _columns(sizes: Sequence[int]) -> tuple[Int64, ...]:
    """The columns of groups of these sizes, side by side."""
    return tuple(np.arange(start, stop) for start, stop in pairwise(np.cumsum([0, *sizes])))


def load_input(
    store: Store,
    groups: Mapping[str, Group],
    filters: Filters | None = None,
) -> Question:
    """Read the runs of all groups (title -> profiles) over the same stacks."""
    filters = filters or Filters()
    _apart(list(groups.values()))
    selection = select_samples(store, groups, filters)
    facts = {each.profile_id: each for each in selection.samples.runs()}
    runs = tuple(
        _run(facts[key], selection.weights[key].idle, filters) for key in selection.profiles
    )
    return Question(
        read(store, selection, runs),
        _columns([len(group) for group in selection.groups]),
        tuple(list(group) for group in selection.groups),
        filters,
        _reasons(selection, filters),
        selection,
    )


def _apart(groups: Sequence[Group]) -> None:
    seen: dict[int, str] = {}
    for group in groups:
        both = sorted(group[key] for key in group if key in seen)
        if both:
            message = f"expected different profiles in base and new, got {both[0]} in both"
            raise PerfduckError(message)
        seen |= group


def _run(facts: PickedRun, idle: float, filters: Filters) -> Run:
    kept = filters.kept(facts.duration_s)
    run = Run(
        name=facts.name,
        work=facts.work,
        work_unit=facts.work_unit,
        duration_s=facts.duration_s,
        cpus=facts.cpus,
        arch=facts.arch,
        kernel_release=facts.kernel_release,
        host=facts.host,
        lost=facts.lost,
        listed=facts.listed,
        frequency=facts.frequency,
        has_period=facts.has_period,
        idle=idle,
        grain=facts.grain,
        labels=facts.labels,
    )
    if kept == 1.0:
        return run
    return replace(
        run,
        work=run.work * kept if run.work else None,
        duration_s=run.duration_s * kept if run.duration_s else None,
    )


def _reasons(selection: Selection, filters: Filters) -> tuple[Reason, ...]:
    notes = [Reason(code=n.code, text=n.text, blocks=n.blocks) for n in selection.notes]
    if filters.has_times:
        text = "work is taken as evenly spread over each run"
        notes.append(Reason(code="time", text=text, blocks=False))
    return tuple(notes)
