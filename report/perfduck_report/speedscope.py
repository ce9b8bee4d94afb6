"""Speedscope's JSON (https://www.speedscope.app/file-format-schema.json): a profile for each
recording, or base and new, each summed; the command is the root of a stack.

Samples have no order here: its views "Left Heavy" and "Sandwich" are the ones to look at.
"""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from perfduck_diff.export_input import ExportInput, ExportRun
from perfduck_report.export_frames import ChainTable
from perfduck_report.names import visible

_UNITS = {
    "ns": "nanoseconds", "us": "microseconds", "ms": "milliseconds", "s": "seconds",
    "byte": "bytes", "bytes": "bytes",
}  # fmt: skip
_ROWS_AT_ONCE = 10_000


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
    for number, (name, scale, runs) in enumerate(_profiles(data)):
        yield b"," * (number > 0)
        yield from _profile(data, name, scale, runs, table, comms)
    yield b'],"shared":{"frames":['
    pairs = zip(names, table.functions["dso"].to_list(), strict=True)
    frames = [_json({"name": visible(name), "file": visible(dso)}) for name, dso in pairs]
    frames += [_json({"name": visible(comm)}) for comm in comms]
    yield ",".join(frames).encode()
    yield b"]}}\n"


def _profiles(data: ExportInput) -> Iterator[tuple[str, float, tuple[ExportRun, ...]]]:
    """Name, what weights are multiplied by, and whose they are."""
    title = data.event
    if data.per_work:
        title += f" per {data.sides[0].amount.unit.partition('/')[2]}"
    if len(data.sides) > 1:
        for which, side in zip(("base", "new"), data.sides, strict=True):
            scale = 1 / side.amount.divisor if data.per_work else 1.0
            yield f"{which}: {side.selector} ({title})", scale, side.runs
        return
    for run in data.sides[0].runs:
        scale = 1 / run.work if data.per_work and run.work else 1.0
        yield f"{run.facts.name} ({title})", scale, (run,)


def _profile(
    data: ExportInput,
    name: str,
    scale: float,
    runs: tuple[ExportRun, ...],
    table: ChainTable,
    comms: dict[str, int],
) -> Iterator[bytes]:
    functions = table.functions.height
    rows = data.weights(*runs)
    weights = [row.weight * scale if scale != 1.0 else row.weight for row in rows]
    head = {
        "type": "sampled", "name": visible(name), "unit": _UNITS.get(data.unit, "none"),
        "startValue": 0, "endValue": sum(weights),
    }  # fmt: skip
    yield f"{_json(head)[:-1]},".encode() + b'"samples":['
    places = table.places([row.stack_id for row in rows]).tolist()
    pairs = zip(places, (row.comm for row in rows), strict=True)
    is_first = True
    while some := list(islice(pairs, _ROWS_AT_ONCE)):
        stacks = []
        for place, comm in some:
            root = functions + comms.setdefault(comm, len(comms))
            stacks.append([root, *reversed(table.leaf_first(place))])
        yield b"," * (not is_first) + _json(stacks)[1:-1].encode()
        is_first = False
    yield b'],"weights":[' + _json(weights)[1:-1].encode() + b"]}"


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
