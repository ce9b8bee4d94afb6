"""The Firefox Profiler's processed profile: for profiler.firefox.com and its command line.

    thread       pid, tid and comm; processes of several recordings are kept apart
    sample       time, stack, weight; of CPU time also threadCPUDelta, for graphs of the CPU
    category     area of a function, in a colour; its subcategory is the subsystem
    resource     binary of a function, that of the kernel too, with its build id where it is known
    marker       Lost samples, over the whole recording

It is version 60 of the format (src/types/profile.ts of firefox-devtools/profiler), in which threads
share all tables. The Profiler reads every version before its own, and refuses later ones: so older
copies of it read this too. Tables and samples are written column by column.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from itertools import count
from typing import Any

import polars as pl

from perfduck_diff.events import is_cpu_time
from perfduck_diff.export_input import ExportInput, ExportRun
from perfduck_model.arrays import Int64
from perfduck_model.firefox_format import (
    EVENT,
    NS_OF,
    NS_OF_MS,
    SECTION,
    UNIT,
    UNTIMED,
    weight_type,
)
from perfduck_report.export_frames import ChainTable
from perfduck_report.firefox_tables import SharedTables, column
from perfduck_report.names import visible

PROCESSED_VERSION, GECKO_VERSION = 60, 32
_THREAD = ("pid", "tid", "comm")
_LOST = "Lost samples"
_MARKERS = {
    "name": _LOST,
    "display": ["marker-chart", "marker-table", "timeline-overview"],
    "tableLabel": "{marker.data.samples} lost",
    "fields": [{"key": "samples", "label": "Samples", "format": "integer"}],
}


def firefox(data: ExportInput, untimed: Sequence[str]) -> Iterator[bytes]:
    """The file, part by part; `data` has one side. `untimed`: recordings whose samples have no
    times."""
    table = ChainTable(data)
    trie = table.trie(table.context.eq("idle").fill_null(value=False).to_numpy())
    tables = SharedTables(table, trie, _LOST)
    writer = _Threads(data, table, trie.leaf - 1, tables)
    yield b'{"meta":' + _json(_meta(data, untimed, tables.categories()))
    yield b',"libs":' + _json(tables.libs(_first(data, "arch") or ""))
    yield b',"shared":{'
    yield from tables.parts()
    yield b'},"threads":['
    yield from writer.parts()
    yield b"]}\n"


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def _first(data: ExportInput, fact: str) -> Any:
    """What the first recording says that says anything."""
    said = (getattr(run.facts, fact) for run in data.sides[0].runs)
    return next((each for each in said if each is not None), None)


def _meta(
    data: ExportInput, untimed: Sequence[str], categories: list[dict[str, Any]]
) -> dict[str, Any]:
    began = _first(data, "started_at")
    return {
        "interval": _interval(data),
        "startTime": began.replace(tzinfo=UTC).timestamp() * 1000 if began else 0,
        "processType": 0,
        "product": visible(data.sides[0].selector),
        "stackwalk": 1,
        "version": GECKO_VERSION,
        "preprocessedProfileVersion": PROCESSED_VERSION,
        "platform": "Linux",
        "oscpu": " ".join(("Linux", *filter(None, (_first(data, "kernel_release"),)))),
        "abi": _first(data, "arch") or "",
        "arguments": visible(_first(data, "command") or ""),
        "logicalCPUs": _first(data, "cpus") or 0,
        "importedFrom": "perfduck",
        "symbolicated": True,
        "symbolicationNotSupported": True,
        "usesOnlyOneStackType": True,
        "sourceCodeIsNotOnSearchfox": True,
        "categories": categories,
        "markerSchema": [_MARKERS],
        "sampleUnits": {"time": "ms", "eventDelay": "ms", "threadCPUDelta": "ns"},
        "extra": _extra(data, untimed),
    }


def _interval(data: ExportInput) -> float:
    """The time between two samples in ms, as it was asked for; 1 where that is not known."""
    asked = [run.frequency for run in data.selection.samples.runs() if run.frequency]
    return 1000 / asked[0] if asked else 1.0


def _extra(data: ExportInput, untimed: Sequence[str]) -> list[dict[str, Any]]:
    """What "More info" of the Profiler shows; the first section is read back."""
    notes = {f"note {number}": note.text for number, note in enumerate(data.notes, 1)}
    names = ", ".join(untimed) or None
    said = {EVENT: data.event, UNIT: data.unit, UNTIMED: names, **notes}
    sections = [_section(SECTION, said)]
    for run in data.sides[0].runs:
        facts = run.facts
        work = None if facts.work is None else f"{facts.work:.15g} {facts.work_unit}"
        said = {**facts.labels, "host": facts.host, "kernel": facts.kernel_release, "work": work}
        sections.append(_section(facts.name, said))
    return sections


def _section(title: str, said: Mapping[str, str | None]) -> dict[str, Any]:
    return {
        "label": visible(title),
        "entries": [
            {"label": visible(key), "format": "string", "value": visible(value)}
            for key, value in said.items()
            if value is not None
        ],
    }


class _Threads:
    """Threads with their samples, those of each recording heaviest first."""

    def __init__(
        self, data: ExportInput, table: ChainTable, nodes: Int64, tables: SharedTables
    ) -> None:
        self._data, self._table, self._nodes, self._lost = data, table, nodes, tables.lost
        self._interval = _interval(data)
        self._unit_ns = NS_OF.get(data.unit)
        self._has_cpu_time = is_cpu_time(data.event, data.unit)
        self._numbers: dict[str, count[int]] = {}

    def parts(self) -> Iterator[bytes]:
        """The threads, with commas between them."""
        [side] = self._data.sides
        for number, (run, rows) in enumerate(self._data.samples(side, with_times=True)):
            stack = pl.Series("stack", self._nodes[self._table.places(rows["stack_id"])])
            rows = self._timed(rows.with_columns(stack)).sort("time")
            threads = rows.partition_by(_THREAD, as_dict=True)
            names = _process_names(threads, run if len(side.runs) > 1 else None)
            by_weight = sorted(threads, key=lambda key: -float(threads[key]["weight"].sum()))
            for place, key in enumerate(by_weight):
                lost = run.facts.lost if place == 0 else 0
                markers = {"markers": self._markers(lost, float(rows["time"][-1]))}
                yield b"," * (number + place > 0)
                yield _json(self._head(key, number, names) | markers)[:-1]
                yield from self._samples(threads[key])

    def _timed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with their `time` in ms from the first one. Those that have none are behind each
        other, an interval apart, after all others of their thread."""
        known = (pl.col("time_ns") - pl.col("time_ns").min()) / 1e6
        place = pl.col("time_ns").is_null().cum_sum().over(_THREAD) * self._interval
        behind = known.max().fill_null(0.0) + place
        return rows.with_columns(time=pl.coalesce(known, behind))

    def _head(self, key: tuple[Any, ...], run: int, names: Mapping[Any, str]) -> dict[str, Any]:
        pid, tid, comm = key
        name = visible(comm or "[unknown]")
        process = f"{name if pid is None else pid}" + (f".{run}" if run else "")
        return {
            "processType": "default",
            "processName": names[pid if pid is not None else comm],
            "processStartupTime": 0,
            "processShutdownTime": None,
            "registerTime": 0,
            "unregisterTime": None,
            "pausedRanges": [],
            "name": name,
            "isMainThread": tid == pid,
            "pid": process,
            "tid": self._tid(name if tid is None else str(tid)),
        }

    def _tid(self, tid: str) -> str | int:
        """Its own number; that of a thread that changed its name, or of another recording, has a
        place behind it."""
        place = next(self._numbers.setdefault(tid, count()))
        return f"{tid}.{place}" if place else int(tid) if tid.isdecimal() else tid

    def _samples(self, rows: pl.DataFrame) -> Iterator[bytes]:
        """The samples of a thread, and its end."""
        weight = rows["weight"]
        if self._unit_ns is not None:
            weight = weight / (NS_OF_MS / self._unit_ns)
        kind = weight_type(self._data.unit)
        yield f',"samples":{{"length":{rows.height},"weightType":"{kind}"'.encode()
        yield from column("stack", rows["stack"])
        yield from column("time", rows["time"])
        yield from column("weight", weight)
        if self._has_cpu_time:
            yield from column("threadCPUDelta", rows["weight"])
        yield b"}}"

    def _markers(self, lost: int, end: float) -> dict[str, Any]:
        """How many samples were lost, which is not known of a time or thread."""
        rows = [{"type": _LOST, "samples": lost}] if lost else []
        return {
            "data": rows,
            "name": [self._lost] * len(rows),
            "startTime": [0] * len(rows),
            "endTime": [end] * len(rows),
            "phase": [1] * len(rows),  # an interval
            "category": [0] * len(rows),
            "length": len(rows),
        }


def _process_names(threads: Mapping[tuple[Any, ...], Any], run: ExportRun | None) -> dict[Any, str]:
    """The name of each process, by its pid: that of its main thread. Of a thread without a pid by
    its comm. `run`: of several recordings, whose it is."""
    names: dict[Any, str] = {}
    for pid, tid, comm in threads:
        key, name = comm if pid is None else pid, comm or "[unknown]"
        if tid == pid or key not in names:
            names[key] = visible(f"{run.facts.name}: {name}" if run else name)
    return names
