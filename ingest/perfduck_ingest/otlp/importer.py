"""Profiles of OpenTelemetry (OTLP): of its eBPF profiler, of the Collector, of async-profiler.

    cpu/nanoseconds                     an event `cpu` in ns
    samples/count every 50,000,000 ns   the same: the period says what one is
    off_cpu/nanoseconds                 an event `off_cpu` in ns

Types of all profiles are kept apart. A sample with times is a row for each. Attributes
thread.name, thread.id, process.pid, cpu.logical_number and container.id are those of a sample, or
of its resource; host.name and host.arch are the recording's. service.name, k8s.pod.name and the
like are labels where all resources have the same. Others are left out, and said.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
import numpy as np
import polars as pl
from google.protobuf.message import DecodeError

from perfduck_ingest.function_chains import FunctionChains, sample_rows
from perfduck_ingest.importer import ImportOptions, Recording
from perfduck_ingest.message_parts import MessageError
from perfduck_ingest.otlp.columns import (
    DamagedProfiles,
    DictionaryColumns,
    ProfileColumns,
    ProfileHead,
)
from perfduck_ingest.otlp.frames import stack_ids
from perfduck_ingest.otlp.messages import has_lengths, is_json, is_protobuf, messages
from perfduck_ingest.source import Source
from perfduck_model.arrays import Int64
from perfduck_model.batch import SAMPLE, Batch, Event, Facts, Limitation
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits
from perfduck_model.otlp_schema import value_of
from perfduck_model.words import listed

NAME = "otlp"

_COLUMNS = {
    "thread.name": "comm",
    "process.executable.name": "comm",  # where no thread has a name
    "thread.id": "tid",
    "process.pid": "pid",
    "cpu.logical_number": "cpu",
    "container.id": "cgroup",  # the last part of its path, by which pods are known
}
_OF_RECORDING = ("host.name", "host.arch")
_LABELS = (
    "service.name", "service.namespace", "service.version", "service.instance.id",
    "deployment.environment.name", "k8s.cluster.name", "k8s.namespace.name", "k8s.node.name",
    "k8s.deployment.name", "k8s.pod.name", "k8s.pod.uid", "k8s.container.name", "container.name",
)  # fmt: skip
_OF_FRAMES = ("profile.frame.type",)
_UNITS = {
    "nanoseconds": "ns", "microseconds": "us", "milliseconds": "ms", "seconds": "s",
    "bytes": "byte", "By": "byte",
}  # fmt: skip
_SAMPLES = ("samples", "sample")
_MOST_NS = 1 << 62
_MOST_NUMBER = (1 << 31) - 1
_SHOWN = 4


def open(source: Source) -> Recording | None:
    """The profiles, if the head is that of a message with some."""
    if source.is_directory:
        return None
    if not any(is_one(source.head) for is_one in (is_json, is_protobuf, has_lengths)):
        return None
    return Recording(NAME, partial(_read, source))


def _read(source: Source, options: ImportOptions) -> Iterator[Batch]:
    reader = _Reader()
    try:
        for message in messages(source):
            yield from reader.batches(*message)
    except (
        DamagedProfiles, MessageError, DecodeError, msgspec.DecodeError, IndexError, OverflowError,
        RecursionError, UnicodeDecodeError,
    ) as error:  # fmt: skip
        got = f"a number that leads nowhere ({error})" if isinstance(error, IndexError) else error
        raise PerfduckError.at(source.name, expected="whole profiles of OTLP", got=got) from error
    yield Batch(facts=reader.facts())


@dataclass(slots=True)
class _Totals:
    """What is said at the end."""

    units: dict[str, str] = field(default_factory=dict)  # of events
    hosts: dict[str, None] = field(default_factory=dict)
    arches: dict[str, None] = field(default_factory=dict)
    others: dict[str, None] = field(default_factory=dict)  # attributes that are left out
    resources: int = 0
    said: Counter[tuple[str, str]] = field(default_factory=Counter)  # resources with that label
    links: int = 0
    rows: int = 0
    times: int = 0
    began_ns: int = 0
    ended_ns: int = 0


class _Reader:
    """Batches of messages, one after the other."""

    def __init__(self) -> None:
        self._chains, self._totals = FunctionChains(), _Totals()

    def batches(self, profiles: ProfileColumns, dictionary: DictionaryColumns) -> Iterator[Batch]:
        """A batch of stacks and symbols, and one of samples."""
        if not profiles.heads:
            return
        self._totals.links += profiles.links
        events = self._events(profiles.heads, dictionary)
        used, place = np.unique(np.frombuffer(profiles.stacks, np.int64), return_inverse=True)
        ids, names = stack_ids(dictionary, used, self._chains)
        yield names
        rows = self._rows(profiles, ids[place], events, self._labels(profiles, dictionary))
        yield Batch(samples=rows)

    def _events(self, heads: list[ProfileHead], dictionary: DictionaryColumns) -> pl.DataFrame:
        """[event, factor, period_of] of each profile: what a value is multiplied by, and the period
        where values are sums of periods; 0 where they are not, -1 where they count samples."""
        types = [tuple(map(dictionary.text, head.sample_type)) for head in heads]
        names = {name for name, _ in types}
        rows: list[tuple[str, int, int]] = []
        for head, (name, unit) in zip(heads, types, strict=True):
            period_type, period_unit = map(dictionary.text, head.period_type)
            factor, period = 1, 0
            if head.period > 0 and (period_type, period_unit) == (name, unit):
                period = head.period
            elif (
                head.period > 0
                and (name in _SAMPLES and unit == "count")
                and (_UNITS.get(period_unit) == "ns" and period_type not in ("", *names))
            ):
                name, unit, factor, period = period_type, period_unit, head.period, -1
            rows.append((self._event(name, unit), factor, period))
            self._note_time(head)
        schema = {"event": pl.String, "factor": pl.Int64, "period_of": pl.Int64}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def _event(self, name: str, unit: str) -> str:
        """The name of an event; those of one name and several units are kept apart."""
        unit = _UNITS.get(unit, _counted(name, unit))
        name = name or unit
        known = self._totals.units.setdefault(name, unit)
        if known != unit:
            name = f"{name} in {unit}"
            self._totals.units[name] = unit
        if len(self._totals.units) > limits.most_sample_types:
            message = f"more than {limits.most_sample_types} types of values"
            raise DamagedProfiles(message)
        return name

    def _note_time(self, head: ProfileHead) -> None:
        totals, began = self._totals, head.began_ns
        if began:
            totals.began_ns = min(totals.began_ns or began, began)
            totals.ended_ns = max(totals.ended_ns, began + head.lasted_ns)

    def _labels(self, profiles: ProfileColumns, dictionary: DictionaryColumns) -> pl.DataFrame:
        """[comm, pid, tid, cpu] of each sample: what its attributes say, or else its resource."""
        names = list(dict.fromkeys(_COLUMNS.values()))
        schema = {name: SAMPLE[name] for name in names}
        sets = pl.DataFrame(
            [self._said(dictionary.said(key)) for key in profiles.numbers], schema=schema
        )
        resources = pl.DataFrame(
            [self._resource(each, dictionary) for each in profiles.resources], schema
        )
        of_head = np.array([head.resource for head in profiles.heads], np.int64)
        own = sets[np.frombuffer(profiles.sets, np.int64)]
        others = resources[of_head[np.frombuffer(profiles.profiles, np.int64)]]
        return own.select(pl.coalesce(pl.col(name), others[name]).alias(name) for name in names)

    def _resource(self, resource: Any, dictionary: DictionaryColumns) -> dict[str, Any]:
        pairs = [
            (each.key or dictionary.text(each.key_strindex), value_of(each.value, dictionary.texts))
            for each in resource.attributes
        ]
        for seen, key in ((self._totals.hosts, "host.name"), (self._totals.arches, "host.arch")):
            seen.update({str(value): None for name, value in pairs if name == key and value})
        self._totals.resources += 1
        self._totals.said.update((key, str(value)) for key, value in pairs if key in _LABELS)
        known = (*_OF_RECORDING, *_LABELS)
        return self._said(pair for pair in pairs if pair[0] not in known)

    def _said(self, pairs: Iterator[tuple[str, str | int | None]]) -> dict[str, Any]:
        said: dict[str, Any] = dict.fromkeys(_COLUMNS.values())
        by_key = dict(pairs)
        for key in by_key:
            if key not in _COLUMNS:
                self._totals.others[key] = None
        for key, column in _COLUMNS.items():
            if said[column] is None and by_key.get(key) is not None:
                said[column] = _value(column, by_key[key])
        return said

    def _rows(
        self, profiles: ProfileColumns, stacks: Int64, events: pl.DataFrame, labels: pl.DataFrame
    ) -> pl.DataFrame:
        values = np.frombuffer(profiles.values, np.int64)
        if len(values) and values.min() < 0:
            message = "a value below 0: the difference of two profiles?"
            raise DamagedProfiles(message)
        owner = np.repeat(
            np.arange(len(profiles.lengths)), np.frombuffer(profiles.lengths, np.int64)
        )
        profile = np.frombuffer(profiles.profiles, np.int64)[owner]
        of_event = events[profile]
        factor = of_event["factor"].to_numpy()
        if (values.astype(np.float64) * factor).sum() >= limits.most_weight:
            message = "values that add up to more than 62 bits"
            raise DamagedProfiles(message)
        times = np.frombuffer(profiles.times, np.uint64)
        if len(times) and times.max() >= _MOST_NS:
            message = f"a time of {times.max():,} ns"
            raise DamagedProfiles(message)
        self._totals.rows += len(values)
        self._totals.times += int((times > 0).sum())
        weight = values * factor
        known = labels[owner].with_columns(
            event=of_event["event"],
            stack_id=pl.Series(stacks[owner]),
            time_ns=pl.Series(times.astype(np.int64)).replace(0, None),
            count=pl.Series(_hits(values, of_event["period_of"].to_numpy())),
            period=pl.Series(weight),
        )
        return sample_rows(self._counted_rows(known).filter(pl.Series(weight > 0)))

    def _counted_rows(self, known: pl.DataFrame) -> pl.DataFrame:
        """Samples of a unit `sample` are counts, without periods."""
        counted = [name for name, unit in self._totals.units.items() if unit == "sample"]
        is_counted = pl.col("event").is_in(counted)
        return known.with_columns(
            count=pl.when(is_counted).then("period").otherwise("count"),
            period=pl.when(~is_counted).then("period"),
        )

    def _labels_of_all(self) -> dict[str, str]:
        """What all resources say; of what some say the name is among the attributes left out."""
        labels = {}
        for (key, value), number in self._totals.said.items():
            if number == self._totals.resources and value and value.isprintable():
                labels[key] = value
            else:
                self._totals.others[key] = None
        return labels

    def facts(self) -> Facts:
        """What all messages say."""
        totals = self._totals
        labels = self._labels_of_all()
        said = self._limitations()
        lasted = totals.ended_ns - totals.began_ns
        return Facts(
            host=next(iter(totals.hosts)) if len(totals.hosts) == 1 else None,
            arch=next(iter(totals.arches)) if len(totals.arches) == 1 else None,
            tool="OpenTelemetry",
            started_at=_time(totals.began_ns),
            duration_s=lasted / 1e9 if lasted > 0 else None,
            labels=labels,
            events={name: Event(unit) for name, unit in totals.units.items()},
            limitations={"otlp": Limitation("; ".join(said))} if said else {},
        )

    def _limitations(self) -> list[str]:
        totals = self._totals
        said = []
        if untimed := totals.rows - totals.times:
            said.append(f"{untimed:,} of {totals.rows:,} values have no time")
        others = [key for key in totals.others if key not in _OF_FRAMES]
        left_out = [f"attributes {listed(others, _SHOWN)}"] * bool(others)
        left_out += [f"links to spans of {totals.links:,} samples"] * bool(totals.links)
        if len(totals.hosts) > 1:
            left_out.append(f"hosts {listed(list(totals.hosts), _SHOWN)}, as there are several")
        return said + [f"left out: {'; '.join(left_out)}"] * bool(left_out)


def _hits(values: Int64, period: Int64) -> Int64:
    """The samples that each value counts, by `period_of`."""
    periods = np.maximum(1, values // np.maximum(period, 1))
    return np.select([period > 0, period < 0], [periods, values], 1)


def _counted(name: str, unit: str) -> str:
    """The unit of what is counted: samples, or what the type is called."""
    if unit not in ("count", "1", ""):
        return unit
    return "sample" if name in ("", *_SAMPLES) else name


def _value(column: str, value: str | int | None) -> str | int | None:
    """The value of a column; None for what is none."""
    if column == "comm":
        return str(value) or None
    if column == "cgroup":
        return f"/{value}" if value else None
    if isinstance(value, str):
        value = int(value) if re.fullmatch(r"[0-9]{1,9}", value) else None
    return value if value is not None and 0 <= value <= _MOST_NUMBER else None


def _time(nanoseconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC) if nanoseconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None
