"""Speedscope's JSON (https://www.speedscope.app/file-format-schema.json): a profile for each
recording, or base and new, each summed; the command is the root of a stack.

Samples have no order here: its views "Left Heavy" and "Sandwich" are the ones to look at.
"""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import polars as pl

from perfduck_diff.export_input import ExportInput, ExportSide
from perfduck_report.export_frames import ChainTable
from perfduck_report.names import visible

_UNITS = {
    "ns": "nanoseconds", "us": "microseconds", "ms": "milliseconds", "s": "seconds",
    "byte": "bytes", "bytes": "bytes",
}  # fmt: skip
_ROWS_AT_ONCE = 10_000
_NO_COMM = "[none]"


def speedscope(data: ExportInput) -> Iterator[bytes]:
    """The file, part by part."""
    comms: dict[str, int] = {}
    table = ChainTable(data)
    names = table.names()
    head = {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "exporter": "perfduck",
        "name": visible(" -> ".join(side.selector for side in data.sides)),
    }
    yield f"{_json(head)[:-1]},".encode() + b'"profiles":['
    for number, (name, scale, rows) in enumerate(_profiles(data)):
        yield b"," * (number > 0)
        yield from _profile(name, data.unit, scale, rows, table, comms)
    yield b'],"shared":{"frames":['
    pairs = zip(names, table.functions["dso"].to_list(), strict=True)
    frames = [_json({"name": name, "file": visible(dso)}) for name, dso in pairs]
    frames += [_json({"name": visible(comm)}) for comm in comms]
    yield ",".join(frames).encode()
    yield b"]}}\n"


def _profiles(data: ExportInput) -> Iterator[tuple[str, float, pl.DataFrame]]:
    """Name, what weights are multiplied by, and [stack_id, comm, weight]."""
    title = data.event
    if data.per_work:
        title += f" per {data.sides[0].amount.unit.partition('/')[2]}"
    if len(data.sides) > 1:
        for which, side in zip(("base", "new"), data.sides, strict=True):
            scale = 1 / side.amount.divisor if data.per_work else 1.0
            yield f"{which}: {side.selector} ({title})", scale, _summed(data, side)
        return
    for run, rows in data.samples(data.sides[0]):
        scale = 1 / run.work if data.per_work and run.work else 1.0
        yield f"{run.facts.name} ({title})", scale, _by_comm(rows)


def _summed(data: ExportInput, side: ExportSide) -> pl.DataFrame:
    return _by_comm(pl.concat([_by_comm(rows) for _, rows in data.samples(side)]))


def _by_comm(rows: pl.DataFrame) -> pl.DataFrame:
    rows = rows.with_columns(pl.col("comm").fill_null(_NO_COMM))
    return rows.group_by("stack_id", "comm", maintain_order=True).agg(pl.col("weight").sum())


def _profile(
    name: str,
    unit: str,
    scale: float,
    rows: pl.DataFrame,
    table: ChainTable,
    comms: dict[str, int],
) -> Iterator[bytes]:
    functions = table.functions.height
    weights = rows["weight"].cast(pl.Float64) * scale if scale != 1.0 else rows["weight"]
    head = {
        "type": "sampled", "name": visible(name), "unit": _UNITS.get(unit, "none"),
        "startValue": 0, "endValue": weights.sum(),
    }  # fmt: skip
    yield f"{_json(head)[:-1]},".encode() + b'"samples":['
    pairs = zip(table.places(rows["stack_id"]).tolist(), rows["comm"], strict=True)
    is_first = True
    while some := list(islice(pairs, _ROWS_AT_ONCE)):
        stacks = []
        for place, comm in some:
            root = functions + comms.setdefault(comm, len(comms))
            stacks.append([root, *reversed(table.leaf_first(place))])
        yield b"," * (not is_first) + _json(stacks)[1:-1].encode()
        is_first = False
    yield b'],"weights":[' + _json(weights.to_list())[1:-1].encode() + b"]}"


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
