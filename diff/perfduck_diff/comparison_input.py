"""From the store to runs: which profiles, which samples, and their frames, stacks and a stack x run
matrix of weights.

    scenario=native        BASE, a selector
    scenario=docker0-nat   NEW
    workload=udp64         --where: holds for both sides
    --skip 1 --comm iperf3 which samples
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np
import polars as pl

from perfduck_diff.engine.dimensions import NO_PROGRAM
from perfduck_diff.engine.result import Reason
from perfduck_diff.engine.run_matrix import Cells, Frame, Run, RunMatrix, Values, gathered
from perfduck_diff.engine.stacks import Stacks
from perfduck_diff.filters import Filters
from perfduck_diff.selection import Group, Selection, check_apart, select_samples
from perfduck_model.arrays import Float64, Int64
from perfduck_model.errors import PerfduckError
from perfduck_store.protocol import Store
from perfduck_store.records import PickedRun
from perfduck_tags.renamed import identity


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
        workloads = {run.labels.get("workload", "") for run in self.runs.runs}
        return workloads.pop() if len(workloads) == 1 else ""

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
    check_apart(groups.values())
    selection = select_samples(store, groups, filters, ("netns",), pods="recorded")
    facts = {each.profile_id: each for each in selection.samples.runs()}
    runs = tuple(
        _run(facts[key], selection.weights[key].idle, filters) for key in selection.profiles
    )
    return Question(
        matrix_of(store, selection, runs),
        _columns([len(group) for group in selection.groups]),
        tuple(list(group) for group in selection.groups),
        filters,
        _reasons(selection, filters),
        selection,
    )


def _run(facts: PickedRun, idle: float, filters: Filters) -> Run:
    fraction = filters.kept(facts.duration_s)
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
        inlined=facts.inlined,
        labels=facts.labels,
    )
    if fraction == 1.0:
        return run
    return replace(
        run,
        work=run.work * fraction if run.work else None,
        duration_s=run.duration_s * fraction if run.duration_s else None,
    )


def _reasons(selection: Selection, filters: Filters) -> tuple[Reason, ...]:
    notes = [Reason(code=n.code, text=n.text, blocks=n.blocks) for n in selection.notes]
    if filters.has_times:
        text = "work is taken as evenly spread over each run"
        notes.append(Reason(code="time", text=text, blocks=False))
    return tuple(notes)


def matrix_of(store: Store, selection: Selection, runs: tuple[Run, ...]) -> RunMatrix:
    """The samples that are picked; `runs`: what else is known of their profiles, in their order."""
    symbols, frames = _frames(store)
    weights, chains = _met(selection.samples.rollup(), selection.samples.stacks(), selection.event)
    cell = weights["row"].to_numpy() * len(runs) + weights["run"].to_numpy()
    subsystems, blame = _values(chains["subsystem"])
    return RunMatrix(
        event=selection.event,
        unit=selection.unit,
        runs=runs,
        frames=_as_called(frames, symbols, chains["symbol_ids"]),
        stacks=_flat(chains["symbol_ids"], symbols),
        subsystems=subsystems,
        blame=blame,
        area={frame.subsystem: frame.area for frame in frames},
        weight=_matrix(cell, weights["weight"], chains.height, len(runs)),
        hits=_matrix(cell, weights["hits"], chains.height, len(runs)),
        known={
            "direction": _values(chains["direction"]),
            "program": _values(_programs(selection, chains["stack_id"])),
        },
        of_samples={
            by: _cells(by, samples, chains["stack_id"], len(runs))
            for by, samples in _of_samples(selection)
        },
    )


def _of_samples(selection: Selection) -> Iterator[tuple[str, pl.DataFrame]]:
    """By what stacks do not say, as far as the recordings do."""
    if selection.has_pods:
        yield "pod", selection.samples.by_pod()
    if selection.has_netns:
        yield "netns", selection.samples.by_netns()


def _cells(by: str, samples: pl.DataFrame, stack_ids: pl.Series, runs: int) -> Cells:
    """The weights by such a key: a cell for each stack and value that occur together."""
    place = pl.DataFrame({"stack_id": stack_ids}).with_row_index("stack")
    samples = samples.join(place, on="stack_id", maintain_order="left")
    names = samples[by].unique().sort()
    samples = samples.with_columns(pl.col(by).cast(pl.Enum(names)).to_physical())
    both = samples.select("stack", by).unique().sort("stack", by).with_row_index("cell")
    samples = samples.join(both, on=["stack", by], maintain_order="left")
    at = samples["cell"].cast(pl.Int64).to_numpy() * runs + samples["run"].to_numpy()
    stack, value = (both[name].cast(pl.Int64).to_numpy() for name in ("stack", by))
    weight, hits = (_matrix(at, samples[name], len(both), runs) for name in ("weight", "hits"))
    return Cells(tuple(names), value, stack, weight, hits)


def _programs(selection: Selection, stacks: pl.Series) -> pl.Series:
    """The program of eBPF that each stack is charged to."""
    charged = selection.samples.programs()
    ids, names = charged["stack_id"], charged["program"]
    return stacks.replace_strict(ids, names, default=NO_PROGRAM, return_dtype=pl.String)


def _values(column: pl.Series) -> Values:
    """The names, and the place of each row's."""
    names = column.unique().sort()
    return tuple(names), column.cast(pl.Enum(names)).to_physical().cast(pl.Int64).to_numpy()


def _met(
    weights: pl.DataFrame, chains: pl.DataFrame, event: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Weights with the row of their stack, and the stacks: those of each that have the other."""
    chain_ids, weight_ids = chains["stack_id"].to_numpy(), weights["stack_id"].to_numpy()
    # both come nearly in order, and are found three times as fast as by a join
    row = np.searchsorted(chain_ids, weight_ids)
    row[row == len(chain_ids)] = 0
    is_known = chain_ids[row] == weight_ids if len(chain_ids) else np.zeros(len(row), np.bool_)
    if not is_known.any():
        message = f"expected samples of {event}, got only those of idle"
        raise PerfduckError(message)
    row = row[is_known]
    used = np.bincount(row, minlength=len(chain_ids)) > 0
    number = np.cumsum(used) - 1
    return weights.filter(is_known).with_columns(row=number[row]), chains.filter(used)


def _frames(store: Store) -> tuple[pl.DataFrame, tuple[Frame, ...]]:
    """symbol_id -> code, and what the codes stand for.

    Kernel functions are one in any module or kernel, and under all names they had
    (perfduck_tags.renamed); a function of user space is one per binary, and one without a name
    is its binary.
    """
    symbols = store.symbols.tagged()
    base = pl.col("dso").str.split("/").list.last().str.strip_chars("[]")
    binary = pl.when(base != "unknown").then(" in " + base).otherwise(pl.lit(""))
    shown = (
        pl.when(pl.col("name") == "[unknown]")
        .then("[unknown]" + binary)
        .otherwise(pl.col("canonical"))
    )
    kernel = pl.col("area") != "user"
    place = pl.when(kernel).then(pl.lit("kernel")).otherwise(base)
    symbols = symbols.with_columns(
        shown.alias("shown"), kernel.alias("kernel"), place.alias("place")
    )
    last = pl.when("kernel").then(pl.col("shown").replace(identity())).otherwise("shown")
    symbols = symbols.with_columns(last.alias("last"))
    distinct = symbols.unique(["last", "place"], keep="first", maintain_order=True)
    coded = distinct.select("last", "place").with_row_index("code").cast({"code": pl.Int32})
    symbols = symbols.join(coded, on=["last", "place"], how="left", maintain_order="left")
    columns = ("shown", "dso", "subsystem", "area", "role", "kernel", "class")
    frames = tuple(
        Frame(name, dso, subsystem, area, role, kernel=kernel, of_class=of_class)
        for name, dso, subsystem, area, role, kernel, of_class in distinct.select(
            columns
        ).iter_rows()
    )
    return symbols.select("symbol_id", "code", "shown", "last"), frames


def _as_called(
    frames: tuple[Frame, ...], symbols: pl.DataFrame, chains: pl.Series
) -> tuple[Frame, ...]:
    """Functions that had several names by that of these runs; by the last, if they have two."""
    several = symbols.filter(pl.col("shown").n_unique().over("code") > 1)
    if several.is_empty():
        return frames
    used = several.filter(pl.col("symbol_id").is_in(chains.explode().unique().implode()))
    is_last = pl.col("shown") == pl.col("last")
    called = used.sort(is_last, descending=True, maintain_order=True).unique("code", keep="first")
    names = dict(called.select("code", "shown").iter_rows())
    return tuple(
        replace(frame, name=names.get(code, frame.name)) for code, frame in enumerate(frames)
    )


def _flat(chains: pl.Series, symbols: pl.DataFrame) -> Stacks:
    """The chains, which the store keeps leaf first, root first: reversed as a whole."""
    flat = chains.explode().drop_nulls()  # of an empty chain
    codes = flat.to_frame("symbol_id").join(
        symbols.select("symbol_id", "code"), on="symbol_id", how="left", maintain_order="left"
    )["code"]
    length = chains.list.len().cast(pl.Int64).to_numpy()
    before = np.cumsum(length) - length
    return Stacks(codes.to_numpy()[::-1].copy(), len(codes) - before - length, len(codes) - before)


def _matrix(cell: Int64, values: pl.Series, stacks: int, runs: int) -> Float64:
    total = gathered(cell, stacks * runs, values.to_numpy()[:, None])
    return total.reshape(stacks, runs)
