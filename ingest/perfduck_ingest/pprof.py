"""pprof's profile.proto, plain or packed: of Go, Parca, Pyroscope, `perfduck export`.

    samples/count cpu/nanoseconds      an event `cpu` in ns, whose hits are the samples
    alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes    an event each

Labels comm, pid, tid, cpu, cgroup and netns are those of a sample; others are left out, and said,
as are invalid numbers of these. Samples alone are an event.
A location without a function is an address in its mapping; of inlined functions each is a frame.
Rates (ns/packet) do not add up: their types are left out, and said.
"""

import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import chain, islice
from typing import Any

import numpy as np
import polars as pl
from google.protobuf.message import DecodeError

from perfduck_ingest.function_chains import (
    UNKNOWN,
    FunctionChains,
    bytes_of,
    frame_counts,
    sample_rows,
)
from perfduck_ingest.importer import ImportOptions, Recording
from perfduck_ingest.message_parts import MessageError, message_parts
from perfduck_ingest.source import Source
from perfduck_kernels import kernels
from perfduck_model.arrays import Int64
from perfduck_model.batch import SAMPLE, Batch, Event, Facts, Limitation
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits
from perfduck_model.pprof_schema import Profile
from perfduck_model.words import listed

NAME = "pprof"

# sample_type, which comes first or nearly so: two numbers of texts.
_BEGINS = re.compile(rb".{0,40}\x0a[\x02-\x0c]\x08[\x01-\xff]{1,3}?\x10[\x01-\xff]", re.DOTALL)
_HEAD_BYTES = 1 << 16
_CHUNK = 1 << 20
_UNITS = {
    "nanoseconds": "ns", "microseconds": "us", "milliseconds": "ms", "seconds": "s",
    "bytes": "byte",
}  # fmt: skip
_HITS = ("samples", "sample")
_SAMPLES = tuple((name, "count") for name in _HITS)
_LABELS = ("comm", "pid", "tid", "cpu", "cgroup", "netns")
_MOST_NUMBER = (1 << 31) - 1
_NUMBERS = {"pid": _MOST_NUMBER, "tid": _MOST_NUMBER, "cpu": _MOST_NUMBER, "netns": (1 << 32) - 1}
_SHOWN = 4


def open(source: Source) -> Recording | None:
    """The profile, if the head is fields of one."""
    if source.is_directory or not _BEGINS.match(source.head[: limits.head_bytes]):
        return None
    try:
        next(message_parts([source.head]), None)
    except MessageError:
        if len(source.head) < limits.head_bytes:
            return None
    return Recording(NAME, partial(_read, source))


def _read(source: Source, options: ImportOptions) -> Iterator[Batch]:
    """All events, one after the other: names follow the samples, at the end of the message."""
    profile = _Columns()
    try:
        for part in message_parts(source.chunks(_CHUNK)):
            profile.add(Profile.FromString(part))
            _check_size(source, profile)
    except (MessageError, DecodeError, OverflowError) as error:
        raise PerfduckError.at(
            source.name, expected="a whole profile of pprof", got=error
        ) from error
    try:
        yield from _Reader(profile).batches()
    except (_DamagedProfile, MessageError, IndexError, KeyError) as error:
        leads_nowhere = isinstance(error, LookupError)
        got = f"a number that leads nowhere ({error})" if leads_nowhere else error
        raise PerfduckError.at(source.name, expected="a whole profile of pprof", got=got) from error


def _check_size(source: Source, profile: "_Columns") -> None:
    messages = (profile.lengths, profile.locations, profile.functions, profile.mappings)
    numbers = (profile.places, profile.values, profile.labels)
    if max(*map(len, (*messages, profile.texts)), profile.lines) > limits.most_messages:
        expected = (
            f"at most {limits.most_messages:,} samples, locations, lines, functions and texts"
        )
        raise PerfduckError.at(source.name, expected=expected, got="more")
    if max(map(len, numbers)) > limits.most_message_numbers:
        expected = f"at most {limits.most_message_numbers:,} frames and values of samples"
        raise PerfduckError.at(source.name, expected=expected, got="more")

    if len(profile.types) > limits.most_sample_types:
        expected = f"at most {limits.most_sample_types:,} types of values"
        raise PerfduckError.at(source.name, expected=expected, got="more")
    if profile.text_bytes > limits.most_text_bytes:
        expected = f"at most {limits.most_text_bytes >> 20:,} MB of texts"
        raise PerfduckError.at(source.name, expected=expected, got="more")


class _DamagedProfile(ValueError):
    """A profile whose parts do not fit."""


@dataclass(slots=True)
class _Columns:
    """The messages of a profile as columns, leaf first; texts are numbers in `texts`."""

    types: list[tuple[int, int]] = field(default_factory=list)
    places: "array[int]" = field(default_factory=lambda: array("Q"))  # locations of all samples
    lengths: "array[int]" = field(default_factory=lambda: array("q"))  # how many each has
    values: "array[int]" = field(default_factory=lambda: array("q"))
    value_counts: set[int] = field(default_factory=set)
    labels: "array[int]" = field(default_factory=lambda: array("q"))  # sample, key, text, number
    mappings: dict[int, tuple[int, int]] = field(default_factory=dict)  # file, what addresses lack
    locations: dict[int, tuple[int, int, tuple[int, ...]]] = field(default_factory=dict)
    functions: dict[int, int] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    text_bytes: int = 0
    lines: int = 0  # of all locations
    began_ns: int = 0
    lasted_ns: int = 0

    def add(self, part: Any) -> None:
        """The fields of a part of the message."""
        self.types += [(each.type, each.unit) for each in part.sample_type]
        for sample in part.sample:
            self.value_counts.add(len(sample.value))
            for label in sample.label:
                self.labels.extend((len(self.lengths), label.key, label.str, label.num))
            self.places.extend(sample.location_id)
            self.lengths.append(len(sample.location_id))
            self.values.extend(sample.value)
        for each in part.mapping:
            self.mappings[each.id] = (each.filename, each.file_offset - each.memory_start)
        for each in part.location:
            lines = tuple(line.function_id for line in each.line)
            self.lines += len(lines)
            self.locations[each.id] = (each.mapping_id, each.address, lines)
        for each in part.function:
            self.functions[each.id] = each.name or each.system_name
        self.texts += part.string_table
        self.text_bytes += bytes_of(part.string_table)
        self.began_ns = part.time_nanos or self.began_ns
        self.lasted_ns = part.duration_nanos or self.lasted_ns


class _Reader:
    """Batches of a profile that is read."""

    def __init__(self, profile: _Columns) -> None:
        self._profile = profile
        _check_indices(profile)
        self._texts = profile.texts
        self._types = [(self._texts[name], self._texts[unit]) for name, unit in profile.types]
        if profile.lengths and profile.value_counts != {len(self._types)}:
            message = f"{sorted(profile.value_counts)} values of {len(self._types)} types"
            raise _DamagedProfile(message)
        values = np.frombuffer(profile.values, np.int64).reshape(-1, len(self._types))
        self._values: Int64 = values[:, _distinct(self._types, values)]
        self._types = list(dict.fromkeys(self._types))

    def batches(self) -> Iterator[Batch]:
        """A batch for each event, then the facts."""
        if (self._values < 0).any():
            message = "a difference of two (pprof -diff_base): ingest both"
            raise _DamagedProfile(message)
        stack_ids, names = self._stacks()
        yield names
        labels, left_out = self._labels()
        hits, chosen = self._hits()
        if lost := self._without_value(hits, chosen):
            left_out.append(f"{lost:,} samples of value 0")
        for number, event, unit in chosen:
            yield self._samples(stack_ids, labels, event, unit, self._values[:, number], hits)
        yield Batch(facts=self._facts(chosen, left_out))

    def _stacks(self) -> tuple[Int64, Batch]:
        """The stack of each sample, and all stacks and symbols."""
        functions, starts, counts, number_of = self._functions()
        ids = np.frombuffer(self._profile.places, np.uint64)
        distinct, inverse = np.unique(ids, return_inverse=True)
        number = np.array([number_of[each] for each in distinct.tolist()], np.int64)
        places = number[inverse] if len(ids) else np.empty(0, np.int64)
        lengths = np.frombuffer(self._profile.lengths, np.int64)
        owner = np.repeat(np.arange(len(lengths)), lengths)
        frames = frame_counts(owner, counts[places], len(lengths))
        rows = kernels.ranges(starts[places], counts[places])
        nameless = np.flatnonzero(frames == 0)  # a stack that is not known
        before = (np.cumsum(frames) - frames)[nameless]
        rows = np.insert(rows, before, len(functions) - 1)
        frames[nameless] = 1
        found = FunctionChains().chains(functions, rows, frames)
        return found.stack_ids, Batch(stacks=found.stacks, symbols=found.symbols)

    def _functions(self) -> tuple[pl.DataFrame, Int64, Int64, dict[int, int]]:
        """All functions [name, dso, address], the last one not known; of each location where its
        functions start, how many there are, and which location has which id."""
        rows: list[tuple[str, str, int | None]] = []
        starts, counts = [], []
        for mapping, address, lines in self._profile.locations.values():
            file, shift = self._profile.mappings.get(mapping, (0, 0))
            dso = self._texts[file] or UNKNOWN
            names = [self._texts[self._profile.functions[each]] for each in lines]
            starts.append(len(rows))
            counts.append(max(len(names), 1))
            rows += [(name or UNKNOWN, dso, None) for name in names]
            if not names:
                rows.append((UNKNOWN, dso, None if dso == UNKNOWN else _signed(address + shift)))
        rows.append((UNKNOWN, UNKNOWN, None))
        schema = {"name": pl.String, "dso": pl.String, "address": pl.Int64}
        number_of = {key: number for number, key in enumerate(self._profile.locations)}
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        return frame, np.array(starts, np.int64), np.array(counts, np.int64), number_of

    def _labels(self) -> tuple[pl.DataFrame, list[str]]:
        """[comm, pid, tid, cpu, cgroup, netns] of each sample, and the labels that are left out in
        words."""
        columns: dict[str, list[Any]] = {
            key: [None] * len(self._profile.lengths) for key in _LABELS
        }
        others: dict[str, None] = {}
        wrong: Counter[str] = Counter()
        flat = iter(self._profile.labels)
        while row := tuple(islice(flat, 4)):
            sample, key, text, number = row
            name = self._texts[key]
            if name not in columns:
                others[name] = None
            elif name in _NUMBERS:
                said = _number(self._texts[text]) if text else number
                if said is not None and 0 <= said <= _NUMBERS[name]:
                    columns[name][sample] = said
                else:
                    wrong[name] += 1
            else:
                columns[name][sample] = self._texts[text] or None
        left_out = [f"labels {listed(list(others), _SHOWN)}"] * bool(others)
        if wrong:
            keys = ", ".join(wrong)
            left_out.append(f"{wrong.total():,} invalid values of labels {keys}")
        return pl.DataFrame(columns, schema={key: SAMPLE[key] for key in _LABELS}), left_out

    def _hits(self) -> tuple[Int64 | None, list[tuple[int, str, str]]]:
        """The samples that each row counts, where there is such a type beside others; and of the
        types that are events their number, name and unit."""
        events = [n for n, (_, unit) in enumerate(self._types) if "/" not in unit]
        samples = [n for n in events if self._types[n] in _SAMPLES]
        hits = samples[0] if samples and len(events) > len(samples) else None
        chosen: dict[str, tuple[int, str, str]] = {}
        for number in events:
            name, unit = self._types[number]
            event = name if name not in chosen else f"{name} in {unit}"
            if event in chosen:
                message = f"more than one type {event}"
                raise _DamagedProfile(message)
            if number != hits:
                chosen[event] = (number, event, _UNITS.get(unit, _counted(name, unit)))
        return None if hits is None else self._values[:, hits], list(chosen.values())

    def _without_value(self, hits: Int64 | None, chosen: list[tuple[int, str, str]]) -> int:
        """How many samples are of no event, as all their values are 0."""
        if hits is None:
            return 0
        values = self._values[:, [number for number, _, _ in chosen]]
        return int(hits[~values.any(axis=1)].sum())

    def _samples(
        self,
        stack_ids: Int64,
        labels: pl.DataFrame,
        event: str,
        unit: str,
        values: Int64,
        hits: Int64 | None,
    ) -> Batch:
        numbers = [values] if hits is None else [values, hits]
        if any(each.sum(dtype=np.float64) >= limits.most_weight for each in numbers):
            message = f"values of {event} that add up to more than 62 bits"
            raise _DamagedProfile(message)
        one = np.ones(len(values), np.int64)
        counts_itself = unit == "sample"
        columns = {
            "stack_id": stack_ids,
            "count": values if counts_itself else one if hits is None else hits,
            "period": values,
        }
        rows = pl.concat([pl.DataFrame(columns), labels], how="horizontal").with_columns(
            event=pl.lit(event),
            period=pl.lit(None, pl.Int64) if counts_itself else pl.col("period"),
        )
        return Batch(samples=sample_rows(rows.filter(pl.Series(values > 0))))

    def _facts(self, chosen: list[tuple[int, str, str]], left_out: list[str]) -> Facts:
        rates = [f"{name} in {unit}" for name, unit in self._types if "/" in unit]
        said = ["pprof says no times of samples"]
        said += [f"left out: {listed(left_out + rates, _SHOWN)}"] * bool(left_out + rates)
        began, lasted = self._profile.began_ns, self._profile.lasted_ns
        return Facts(
            started_at=_time(began),
            duration_s=lasted / 1e9 if lasted > 0 else None,
            events={event: Event(unit) for _, event, unit in chosen},
            limitations={"pprof": Limitation("; ".join(said))},
        )


def _distinct(types: Sequence[tuple[str, str]], values: Int64) -> list[int]:
    """The place of each type; of types of one name and unit the first, if their values are the same
    as in exports of perfduck 0.1."""
    places: dict[tuple[str, str], int] = {}
    for place, each in enumerate(types):
        first = places.setdefault(each, place)
        if (values[:, place] != values[:, first]).any():
            message = f"more than one type {'/'.join(each)}, with other values"
            raise _DamagedProfile(message)
    return list(places.values())


def _check_indices(profile: _Columns) -> None:
    """IndexError for texts of numbers below 0, which Python counts from the end."""
    labels = np.frombuffer(profile.labels, np.int64).reshape(-1, 4)[:, 1:3]
    files = (file for file, _ in profile.mappings.values())
    numbers = (*chain.from_iterable(profile.types), *profile.functions.values(), *files)
    if (lowest := min(labels.min(initial=0), *numbers, 0)) < 0:
        raise IndexError(lowest)


def _counted(name: str, unit: str) -> str:
    """The unit of what is counted: samples, or what the type is called."""
    if unit != "count":
        return unit or name
    return "sample" if name in _HITS else name


def _time(nanoseconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC) if nanoseconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _signed(number: int) -> int:
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)
