"""From the store to runs: which profiles, which samples, which frames.

scenario=native        BASE, a selector
scenario=docker0-nat   NEW
workload=udp64         --where: holds for both sides
--skip 1 --comm iperf3 which samples
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import PurePath
from typing import Any

import numpy as np
import polars as pl

from perfduck_diff.result import Reason
from perfduck_diff.runs import Floats, Frame, Run, Runs
from perfduck_diff.stacks import Ints, Stacks
from perfduck_diff.top import event_of
from perfduck_store.errors import PerfduckError
from perfduck_store.selector import select
from perfduck_store.store import Store, named

Facts = dict[str, Any]  # a row of diff_profiles.sql


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which samples count. Texts are globs; times are seconds from a profile's first sample."""

    comm: str | None = None
    pid: int | None = None
    cpu: int | None = None
    dso: str | None = None
    subsystem: str | None = None
    cgroup: str | None = None
    from_s: float | None = None
    to_s: float | None = None

    @property
    def of_samples(self) -> bool:
        """Whether the rollup cannot answer."""
        asked = (self.pid, self.cpu, self.cgroup, self.from_s, self.to_s)
        return any(value is not None for value in asked)

    def kept(self, duration_s: float | None) -> float:
        """The part of a run's time that is looked at."""
        if not duration_s:
            return 1.0
        end = min(self.to_s if self.to_s is not None else duration_s, duration_s)
        return max(end - (self.from_s or 0.0), 0.0) / duration_s


@dataclass(frozen=True, slots=True)
class Question:
    """The runs of several groups in one matrix; `groups` are their columns."""

    runs: Runs
    groups: tuple[Ints, ...]
    host_class: str
    workload: str
    reasons: tuple[Reason, ...]


def chosen(store: Store, selector: str, where: str | None = None) -> dict[int, str]:
    """The profiles a selector means, of those that WHERE means."""
    found = select(store, selector)
    if where is None:
        return found
    both = {key: name for key, name in found.items() if key in select(store, where)}
    if not both:
        message = f"{selector}: expected a profile that is also {where}, got none"
        raise PerfduckError(message)
    return both


def ask(
    store: Store,
    groups: list[dict[int, str]],
    *,
    event: str | None = None,
    filters: Filters | None = None,
) -> Question:
    """Read the runs of all groups over the same stacks."""
    filters = filters or Filters()
    ids = [key for group in groups for key in group]
    _apart(groups)
    name, unit = _event(store, ids, event)
    facts = _facts(store, ids, name, unit)
    weights = _weights(store, ids, name, filters)
    stacks, frames, blame, weights = _stacks(store, weights, filters)
    position = {key: column for column, key in enumerate(ids)}
    runs = tuple(_run(facts[key], filters) for key in ids)
    matrix = [_matrix(weights, column, position, stacks.size) for column in ("weight", "hits")]
    area = {frame.subsystem: frame.area for frame in frames}
    sizes = np.cumsum([0, *(len(group) for group in groups)])
    return Question(
        Runs(name, unit, runs, frames, stacks, blame, area, matrix[0], matrix[1]),
        tuple(np.arange(start, stop) for start, stop in pairwise(sizes)),
        _host_class(facts[ids[0]]),
        _workload([facts[key] for key in ids]),
        _reasons(filters),
    )


def _event(store: Store, ids: list[int], event: str | None) -> tuple[str, str]:
    """The event to compare and its unit. perf's cpu-clock and OProfile's CPU_CLK_UNHALTED are both
    CPU time: where no event is in all profiles, those in ns are one, `CPU_CLK_UNHALTED|cpu-clock`.
    """
    if event is not None and "|" in event:
        return event, event_of(store, dict.fromkeys(ids, ""), event.split("|")[0])[1]
    name, unit = event_of(store, dict.fromkeys(ids, ""), event)
    rows = store.rows(
        "select profile_id, event, unit from event"
        " where profile_id in (select unnest($p::bigint[])) order by samples, event",
        {"p": ids},
    )
    if event is not None or sum(row[1] == name for row in rows) == len(ids):
        return name, unit
    of_time = {profile: own for profile, own, its_unit in rows if its_unit == "ns"}
    if len(of_time) < len(ids):
        return name, unit
    return "|".join(sorted(set(of_time.values()))), "ns"


def _apart(groups: list[dict[int, str]]) -> None:
    seen: dict[int, str] = {}
    for group in groups:
        both = sorted(group[key] for key in group if key in seen)
        if both:
            message = f"expected different profiles in base and new, got {both[0]} in both"
            raise PerfduckError(message)
        seen |= group


def _facts(store: Store, ids: list[int], event: str, unit: str) -> dict[int, Facts]:
    rows = store.frame(named("diff_profiles"), {"profiles": ids, "event": event}).to_dicts()
    facts = {row["profile_id"]: row for row in rows}
    for row in rows:
        if row["unit"] != unit:
            message = f"{row['name']}: expected {event} in {unit}, got {row['unit']}"
            raise PerfduckError(message)
    if len(facts) < len(ids):
        missing = store.rows("select name from profile where profile_id = $p", {
            "p": next(key for key in ids if key not in facts)
        })  # fmt: skip
        message = f"{missing[0][0]}: expected event {event}, which other runs have"
        raise PerfduckError(message)
    return facts


def _weights(store: Store, ids: list[int], event: str, filters: Filters) -> pl.DataFrame:
    """profile_id, stack_id, weight, hits."""
    keys: Facts = {"profiles": ids, "event": event}
    for name in ("comm", "subsystem"):
        keys[name] = getattr(filters, name)
    if filters.of_samples:
        for name in ("pid", "cpu", "cgroup", "from_s", "to_s"):
            keys[name] = getattr(filters, name)
    query = "diff_samples" if filters.of_samples else "diff_rollup"
    weights = store.frame(named(query), keys)
    if weights.is_empty():
        message = f"expected samples of {event} that pass the filters, got none"
        raise PerfduckError(message)
    return weights


def _stacks(
    store: Store, weights: pl.DataFrame, filters: Filters
) -> tuple[Stacks, tuple[Frame, ...], tuple[str, ...], pl.DataFrame]:
    """Stacks, frames and charges of the weights, and the weights with the stack's row."""
    wanted = weights.select("stack_id").unique()
    chains = store.frame(named("diff_stacks"), _some(wanted)).join(
        wanted, on="stack_id", how="semi"
    )
    chains = chains.sort("stack_id")
    symbols, frames = _frames(store)
    if filters.dso is not None:
        chains = chains.filter(_leaf_in(symbols, filters.dso))
    rows = chains.select("stack_id").with_row_index("row")
    kept = weights.join(rows, on="stack_id", how="inner")
    if kept.is_empty():
        message = f"expected samples in dso {filters.dso}, got none"
        raise PerfduckError(message)
    return _flat(chains, symbols), frames, tuple(chains["subsystem"].to_list()), kept


def _some(wanted: pl.DataFrame) -> dict[str, list[int] | None]:
    """Few stacks are asked for by id; for many it is quicker to read the table."""
    return {"stacks": wanted["stack_id"].to_list() if wanted.height < _FEW else None}


_FEW = 2000


def _leaf_in(symbols: pl.DataFrame, dso: str) -> pl.Expr:
    matching = {
        key
        for key, path in symbols.select("symbol_id", "dso").iter_rows()
        if PurePath(path).match(dso) or path == dso or path.strip("[]") == dso
    }
    return pl.col("symbol_ids").list.first().is_in(list(matching))


def _frames(store: Store) -> tuple[pl.DataFrame, tuple[Frame, ...]]:
    """symbol_id -> code, and what the codes stand for.

    Kernel functions are one whatever module or kernel they are in; a function of user space is one
    per binary, and one without a name is its binary.
    """
    symbols = store.frame(
        "select symbol_id, name, dso, canonical, area, subsystem, role from symbol"
        " order by symbol_id"
    )
    base = pl.col("dso").str.split("/").list.last().str.strip_chars("[]")
    shown = (
        pl.when(pl.col("name") == "[unknown]").then("[" + base + "]").otherwise(pl.col("canonical"))
    )
    kernel = pl.col("area") != "user"
    place = pl.when(kernel).then(pl.lit("kernel")).otherwise(base)
    symbols = symbols.with_columns(
        shown.alias("shown"), kernel.alias("kernel"), place.alias("place")
    )
    distinct = symbols.unique(["shown", "place"], keep="first", maintain_order=True)
    coded = distinct.select("shown", "place").with_row_index("code")
    symbols = symbols.join(coded, on=["shown", "place"], how="left", maintain_order="left")
    columns = ("shown", "dso", "subsystem", "area", "role", "kernel")
    frames = tuple(
        Frame(name, dso, subsystem, area, role, kernel=kernel)
        for name, dso, subsystem, area, role, kernel in distinct.select(columns).iter_rows()
    )
    return symbols.select("symbol_id", "dso", "code"), frames


def _flat(chains: pl.DataFrame, symbols: pl.DataFrame) -> Stacks:
    """The chains, which the store keeps leaf first, root first: reversed as a whole."""
    length = chains["symbol_ids"].list.len().cast(pl.Int64).to_numpy()
    flat = chains.filter(pl.col("symbol_ids").list.len() > 0).select(
        pl.col("symbol_ids").explode().alias("symbol_id")
    )
    codes = flat.join(
        symbols.select("symbol_id", "code"), on="symbol_id", how="left", maintain_order="left"
    )["code"]
    stop = np.cumsum(length)
    size = int(stop[-1]) if len(stop) else 0
    reverse = codes.cast(pl.Int64).to_numpy()[::-1].copy()
    return Stacks(reverse, size - stop, size - stop + length)


def _matrix(weights: pl.DataFrame, column: str, position: dict[int, int], size: int) -> Floats:
    matrix = np.zeros((size, len(position)))
    columns = weights["profile_id"].replace_strict(position, return_dtype=pl.Int64)
    matrix[weights["row"].to_numpy(), columns.to_numpy()] = weights[column].to_numpy()
    return matrix


def _run(facts: Facts, filters: Filters) -> Run:
    kept = filters.kept(facts["duration_s"])
    run = Run(
        name=facts["name"],
        work=facts["work"],
        work_unit=facts["work_unit"],
        duration_s=facts["duration_s"],
        cpus=facts["cpus"],
        kernel_release=facts["kernel_release"],
        host=facts["host"],
        lost=facts["lost"],
        listed=facts["listed"],
        frequency=facts["frequency"],
        has_period=facts["has_period"],
        idle=facts["idle"] or 0.0,
        grain=facts["grain"],
        labels=facts["labels"],
    )
    if kept == 1.0:
        return run
    return replace(
        run,
        work=run.work * kept if run.work else None,
        duration_s=run.duration_s * kept if run.duration_s else None,
        idle=run.idle * kept,
    )


def _host_class(facts: Facts) -> str:
    return f"{facts['arch'] or '?'}/{facts['cpus'] or '?'}"


def _workload(facts: list[Facts]) -> str:
    found = {row["labels"].get("workload", "") for row in facts}
    return found.pop() if len(found) == 1 else ""


def _reasons(filters: Filters) -> tuple[Reason, ...]:
    if filters.from_s is None and filters.to_s is None:
        return ()
    end = "the end" if filters.to_s is None else f"{filters.to_s:g} s"
    span = f"{filters.from_s or 0:g} s to {end}"
    text = f"samples from {span}: work is taken as evenly spread over the run"
    return (Reason(code="time", text=text, blocks=False),)
