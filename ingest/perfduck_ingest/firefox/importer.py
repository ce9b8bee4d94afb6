"""Processed profiles of the Firefox Profiler: saved by it, of samply, of Python's profiler, of
`perfduck export`.

    weight type samples       an event `samples`; threadCPUDelta beside it is an event `cpu` in ns
    weight type tracing-ms    an event `tracing` in ns: it may be time that is no CPU time
    weight type bytes         an event `bytes`

A profile of `perfduck export` says the event and its unit, and where times are made up. Markers,
counters and the tables of allocations are counted and left out.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import msgspec
import numpy as np
import polars as pl

from perfduck_ingest.firefox.schema import (
    NEWEST,
    OLDEST,
    ProcessedProfile,
    ProfileMeta,
    ProfileTables,
    ProfileThread,
    ThreadSamples,
)
from perfduck_ingest.firefox.tables import StackIds
from perfduck_ingest.function_chains import FunctionChains, sample_rows
from perfduck_ingest.importer import ImportOptions, Recording
from perfduck_ingest.message_parts import MessageError
from perfduck_ingest.source import Source
from perfduck_model.arrays import Float64
from perfduck_model.batch import Batch, Event, Facts, Limitation
from perfduck_model.errors import PerfduckError
from perfduck_model.firefox_format import EVENT, NS_OF, NS_OF_MS, SECTION, UNIT, UNTIMED
from perfduck_model.limits import limits

NAME = "firefox"

_JSON = re.compile(rb"\s*\{")
_MARK = b'"preprocessedProfileVersion"'
_CHUNK = 1 << 20
_NS_OF_CPU = {"ns": 1.0, "µs": 1e3, "μs": 1e3, "us": 1e3}  # micro sign, and the Greek letter
_OF_TYPE = {
    "samples": ("samples", "sample"), "tracing-ms": ("tracing", "ns"), "bytes": ("bytes", "byte"),
}  # fmt: skip
_NUMBER = re.compile(r"([0-9]{1,10})(?:\.[0-9]+)?")  # 1234.1: of a process that was exec'd
_RELEASE = re.compile(r"Linux (\d+\.\d+\S*)")
_MOST_NUMBER, _MOST_NS = (1 << 31) - 1, 1 << 62


def open(source: Source) -> Recording | None:
    """The profile, if it is JSON whose head says its version."""
    if source.is_directory or not (_JSON.match(source.head) and _MARK in source.head):
        return None
    return Recording(NAME, partial(_read, source))


def _read(source: Source, options: ImportOptions) -> Iterator[Batch]:
    try:
        profile = msgspec.json.decode(_content(source), type=ProcessedProfile)
        reader = _Reader(profile)
        for raw in profile.threads:
            yield from reader.batches(raw)
    except (
        ValueError, MessageError, msgspec.DecodeError, IndexError, OverflowError, RecursionError,
    ) as error:  # fmt: skip
        expected = "a whole profile of the Firefox Profiler"
        raise PerfduckError.at(source.name, expected=expected, got=_words(error)) from error
    yield Batch(facts=reader.facts())


def _words(error: Exception) -> object:
    if isinstance(error, IndexError):
        return f"a number that leads nowhere ({error})"
    return "a number of more than 64 bits" if isinstance(error, OverflowError) else error


def _content(source: Source) -> bytes:
    parts, size = [], 0
    for part in source.chunks(_CHUNK):
        size += len(part)
        if size > limits.most_firefox_bytes:
            message = f"more than {limits.most_firefox_bytes >> 20} MB"
            raise MessageError(message)
        parts.append(part)
    return b"".join(parts)


@dataclass(slots=True)
class _Seen:
    """What is said at the end."""

    units: dict[str, str] = field(default_factory=dict)  # of events
    left_out: Counter[str] = field(default_factory=Counter)


class _Reader:
    """Batches of a profile, thread by thread."""

    def __init__(self, profile: ProcessedProfile) -> None:
        self._meta, self._libs = profile.meta, profile.libs
        if not OLDEST <= self._meta.version <= NEWEST:
            message = (
                f"version {self._meta.version} of the format, and perfduck knows {OLDEST} to"
                f" {NEWEST}"
            )
            if self._meta.version < OLDEST:
                message += ": open it in the Firefox Profiler and save it again"
            raise ValueError(message)
        self._chains, self._seen = FunctionChains(), _Seen()
        self._texts = profile.shared.string_array if profile.shared else None
        has_stacks = profile.shared is not None and profile.shared.func_table.name
        self._stacks = self._stack_ids(profile.shared) if has_stacks else None
        self._seen.left_out["rows of counters"] = sum(each.length for each in profile.counters)
        own = _own_section(self._meta)
        self._event = (own[EVENT], own[UNIT]) if {EVENT, UNIT} <= own.keys() else None
        self._is_untimed = UNTIMED in own

    def _stack_ids(self, tables: ProfileTables | None) -> StackIds:
        tables = tables or ProfileTables()
        texts = tables.string_array if self._texts is None else self._texts
        return StackIds(tables, texts, self._libs, self._chains)

    def batches(self, raw: msgspec.Raw) -> Iterator[Batch]:
        """Stacks and symbols of a thread, and its samples."""
        thread = msgspec.json.decode(raw, type=ProfileThread)
        left_out, samples = self._seen.left_out, thread.samples
        left_out["markers"] += thread.markers.length
        left_out["allocations"] += thread.js_allocations.length + thread.native_allocations.length
        if not samples.stack:
            return
        stacks = self._stacks or self._stack_ids(msgspec.json.decode(raw, type=ProfileTables))
        places, chains = stacks.of(samples.stack)
        yield Batch(stacks=chains.stacks, symbols=chains.symbols)
        times = _times(samples)
        if self._is_untimed:
            times = pl.Series("time_ns", [None] * len(times), pl.Int64)
        left_out["times of samples"] += times.null_count()
        known = pl.DataFrame({"stack_id": chains.stack_ids[places]}).with_columns(
            times,
            comm=pl.lit(None if thread.name == "[unknown]" else thread.name or None, pl.String),
            pid=pl.lit(_number(thread.pid), pl.Int32),
            tid=pl.lit(_number(thread.tid), pl.Int32),
        )
        yield from self._events(known, samples)

    def _events(self, known: pl.DataFrame, samples: ThreadSamples) -> Iterator[Batch]:
        kind = samples.weight_type or "samples"
        if kind not in _OF_TYPE:
            message = f"weights of type {kind!r}"
            raise ValueError(message)
        event, unit = self._event or _OF_TYPE[kind]
        scale = NS_OF_MS / NS_OF[unit] if kind == "tracing-ms" and unit in NS_OF else 1.0
        weights = _floats(samples.weight, known.height, 1.0) * scale
        yield self._rows(known, weights, event, unit)
        if samples.cpu is not None and kind == "samples" and self._event is None:
            yield from self._cpu_time(known, samples)

    def _cpu_time(self, known: pl.DataFrame, samples: ThreadSamples) -> Iterator[Batch]:
        """CPU time since the sample before; of the first one the format has it mean nothing."""
        unit = self._meta.units.cpu if self._meta.units else None
        if unit not in _NS_OF_CPU:
            self._seen.left_out[f"CPU times of samples in {unit}"] += known.height
            return
        spent = _floats(samples.cpu, known.height, 0.0) * _NS_OF_CPU[unit]
        self._seen.left_out["CPU times of first samples of threads"] += int(spent[0] > 0)
        spent[0] = 0.0
        yield self._rows(known, spent, "cpu", "ns")

    def _rows(self, known: pl.DataFrame, exact: Float64, event: str, unit: str) -> Batch:
        if len(exact) and exact.min() < 0:
            message = "a weight below 0: a comparison of two profiles? Ingest each of them"
            raise ValueError(message)
        if not (
            exact.sum() < limits.most_weight and self._seen.units.setdefault(event, unit) == unit
        ):
            message = f"weights of {event} of more than 62 bits, or in several units"
            raise ValueError(message)
        weights = np.rint(exact).astype(np.int64)
        left_out = self._seen.left_out
        left_out[f"decimals of weights of {event}"] += int((np.abs(weights - exact) > 1e-3).sum())
        if event != "cpu":
            left_out[f"samples of weight 0 of {event}"] += int((weights == 0).sum())
        counts_itself = unit == "sample"
        rows = known.with_columns(
            event=pl.lit(event),
            count=pl.Series(weights) if counts_itself else pl.lit(1, pl.Int64),
            period=pl.lit(None, pl.Int64) if counts_itself else pl.Series(weights),
        ).filter(pl.Series(weights > 0))
        return Batch(samples=sample_rows(rows))

    def facts(self) -> Facts:
        """What the profile says, and what of it is left out."""
        meta = self._meta
        left_out = [
            f"{what} ({number:,})" for what, number in self._seen.left_out.items() if number
        ]
        text = f"left out of the Firefox profile: {', '.join(left_out)}"
        release = _RELEASE.match(meta.oscpu or "")
        return Facts(
            kernel_release=release[1] if release else None,
            arch=(meta.abi or "").partition("-")[0] or None,
            cpus=meta.cpus or None,
            command=meta.arguments or None,
            tool=f"Firefox Profiler, version {meta.version}",
            started_at=_time(meta.start_time),
            events={event: Event(unit) for event, unit in self._seen.units.items()},
            limitations={"firefox": Limitation(text)} if left_out else {},
        )


def _own_section(meta: ProfileMeta) -> Mapping[str, str]:
    """What `perfduck export` says, by its label."""
    own = next((each for each in meta.extra if each.label == SECTION), None)
    entries = own.entries if own else []
    return {each.label: msgspec.json.decode(each.value, type=str) for each in entries}


def _floats(numbers: list[float | None] | None, length: int, default: float) -> Float64:
    """A column that may lack; null is `default`. ValueError for other lengths, and for numbers that
    are none."""
    if numbers is None:
        return np.full(length, default)
    values = pl.Series(numbers, dtype=pl.Float64).fill_null(default).to_numpy().copy()
    if len(values) != length or not np.isfinite(values).all():
        message = f"{len(values):,} weights or times of {length:,} samples"
        raise ValueError(message)
    return values


def _times(samples: ThreadSamples) -> pl.Series:
    """The time of each sample in ns, null where it is before the start or not known."""
    length = len(samples.stack)
    if samples.time is not None:
        values = _floats(samples.time, length, -1.0)
    elif samples.time_deltas is not None:
        values = np.cumsum(_floats([*samples.time_deltas], length, 0.0))
    else:
        values = np.full(length, -1.0)
    if len(values) and values.max() * NS_OF_MS >= _MOST_NS:
        message = f"a time of {values.max():,.0f} ms"
        raise ValueError(message)
    times = pl.Series("time_ns", np.rint(values * NS_OF_MS).astype(np.int64))
    return times.set(times < 0, None)


def _number(text: str | int | None) -> int | None:
    match = _NUMBER.fullmatch(str(text))
    return int(match[1]) if match and int(match[1]) <= _MOST_NUMBER else None


def _time(milliseconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(milliseconds / 1e3, UTC) if milliseconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None
