"""What a recording says of itself: the feature sections behind the data of a file, or the
HEADER_FEATURE records of a pipe.

    hostname : vm
    os release : 6.18.44
    cmdline : /usr/bin/perf record -a -g -e cpu-clock -F 999
    event : name = cpu-clock, ids = {1947, 1948}

The names of tracepoints are in its tracing data (tools/perf/util/trace-event-read.c); what follows
the formats is not read:

    17 08 44 "tracing" "0.6" | u8 is big, u8 size of a long, u32 size of a page
    "header_page" u64 size, text | "header_event" u64 size, text
    u32 count, {u64 size, format} ...                             of ftrace itself
    u32 systems, {"sched", u32 count, {u64 size, format} ...} ...
                  name: sched_switch
                  ID: 372
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from perfduck_ingest.perf_data import records, simpleperf
from perfduck_ingest.perf_data.attributes import Attribute, attribute
from perfduck_ingest.perf_data.name_numbers import NameTally
from perfduck_ingest.perf_data.records import ByteOrder, text
from perfduck_ingest.perf_data.simpleperf import RecordedFile
from perfduck_model.limits import limits

TRACING_DATA = 1
BUILD_ID = 2
HOSTNAME = 3
OSRELEASE = 4
VERSION = 5
ARCH = 6
NRCPUS = 7
CMDLINE = 11
EVENT_DESC = 12
PMU_MAPPINGS = 16
STAT = 19
SAMPLE_TIME = 21
CLOCK_DATA = 29

_BUILD_ID_BYTES = 20


@dataclass(slots=True)
class PerfRecording:
    """What is known of a recording before and while its samples are read."""

    order: ByteOrder
    attributes: list[Attribute] = field(default_factory=list)
    ids: int = 0  # of all attributes
    build_ids: dict[str, str] = field(default_factory=dict)  # dso -> hexadecimal build id
    strings: dict[int, str] = field(default_factory=dict)  # feature -> what it says
    pmus: dict[int, str] = field(default_factory=dict)  # type of a PMU -> its name
    cpus: int | None = None
    first_ns: int | None = None
    written_at: float | None = None  # when the file was finished, in seconds since 1970
    wall_offset: timedelta | None = None  # wall clock minus recording clock
    event_names: dict[tuple[int, ...], str] = field(default_factory=dict)  # ids -> name
    event_types: dict[tuple[int, int], str] = field(default_factory=dict)  # type, config -> name
    files: dict[str, RecordedFile] = field(default_factory=dict)  # with symbols, by path
    has_counts: bool = False  # of `perf stat record`, and no samples
    is_unfinished: bool = False  # perf ended before it wrote the size of the data
    names: NameTally = field(default_factory=lambda: NameTally("events and files with build ids"))

    def started_at(self, first_ns: int | None) -> datetime | None:
        """Wall clock (UTC) of the first sample, where the recording relates the clocks."""
        if self.wall_offset is None or first_ns is None:
            return None
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        try:
            return epoch + self.wall_offset + timedelta(microseconds=first_ns / 1000)
        except OverflowError:
            return None

    def add_attribute(self, added: Attribute) -> None:
        """Take in one event more; raises struct.error for more events or ids than may be."""
        self.attributes.append(added)
        self.ids += len(added.ids)
        if len(self.attributes) > limits.most_events or self.ids > limits.most_event_ids:
            events, ids = limits.most_events, limits.most_event_ids
            message = f"more than {events:,} events or {ids:,} ids of events"
            raise struct.error(message)

    def add_build_id(self, dso: str, build_id: str) -> None:
        """Take in the build id of a file; raises struct.error for too many."""
        if dso not in self.build_ids:
            self.names.add(dso)
        self.build_ids[dso] = build_id

    def add_event_name(self, number: int, name: str) -> None:
        """Take in the name of the event with this id; raises struct.error for too many."""
        self.names.add(name)
        self.event_names[(number,)] = name

    def name_attributes(self) -> None:
        """Give every event the name that perf or simpleperf described it by, and its PMU."""
        by_id = {number: name for ids, name in self.event_names.items() for number in ids}
        for position, one in enumerate(self.attributes):
            name = next((by_id[number] for number in one.ids if number in by_id), None)
            if name is None and one.asked in self.event_types:
                name = self.event_types[one.asked] + one.only
            named = one if name is None else one.named(name)
            self.attributes[position] = named.of_pmu(self.pmus)

    def name_tracepoints(self, tracing: bytes) -> None:
        """Name the tracepoints that nothing else named, by the tracing data."""
        unnamed = [one for one in self.attributes if one.is_tracepoint and not one.is_named]
        names = tracepoints(tracing) if unnamed and tracing else {}
        for one in unnamed:
            name = names.get(one.asked[1], one.name)
            self.attributes[self.attributes.index(one)] = one.named(name)


def learn(recording: PerfRecording, feature: int, raw: bytes) -> None:
    """Keep what a feature says; raises struct.error where it is cut off."""
    order = recording.order
    if feature in _STRINGS:
        recording.strings[feature] = _string(raw, 0, order)[0]
    elif feature == CMDLINE:
        recording.strings[feature] = " ".join(_strings(raw, order))
    elif feature == NRCPUS:
        online = order.unpack("II", raw)[1]  # behind those available
        recording.cpus = online if online >> 31 == 0 else None
    elif feature == STAT:
        recording.has_counts = True
    elif feature in _LEARNED:
        _LEARNED[feature](recording, raw)
    elif feature in (simpleperf.FILE, simpleperf.FILE2):
        files = simpleperf.files(feature, raw, order)
        recording.files.update((one.path, one) for one in files if one.is_placed)
    elif feature == simpleperf.META_INFO:
        recording.event_types |= simpleperf.event_types(raw)
    elif feature == SAMPLE_TIME:
        recording.first_ns, _ = order.unpack("QQ", raw)
    elif feature == CLOCK_DATA:
        wall, clock = order.unpack("QQ", raw, 8)  # behind version and clock id
        recording.wall_offset = timedelta(microseconds=(wall - clock) / 1000)


_STRINGS = frozenset({HOSTNAME, OSRELEASE, VERSION, ARCH})


def _string(raw: bytes, offset: int, order: ByteOrder) -> tuple[str, int]:
    """A string with its padded length in front, and where the next thing begins."""
    (length,) = order.unpack("I", raw, offset)
    end = offset + 4 + length
    if end > len(raw):
        message = "string longer than its section"
        raise struct.error(message)
    return text(raw[offset + 4 : end]), end


def _strings(raw: bytes, order: ByteOrder) -> Iterator[str]:
    (count,) = order.unpack("I", raw)
    offset = 4
    for _ in range(count):
        word, offset = _string(raw, offset, order)
        yield word


def _learn_pmus(recording: PerfRecording, raw: bytes) -> None:
    (count,) = recording.order.unpack("I", raw)
    offset = 4
    for _ in range(count):
        (number,) = recording.order.unpack("I", raw, offset)
        recording.pmus[number], offset = _string(raw, offset + 4, recording.order)


def _learn_events(recording: PerfRecording, raw: bytes) -> None:
    order = recording.order
    count, size = order.unpack("II", raw)
    offset = 8
    for _ in range(count):
        described = attribute(raw[offset : offset + size], order)
        (ids_count,) = order.unpack("I", raw, offset + size)
        name, offset = _string(raw, offset + size + 4, order)
        ids = order.unpack(f"{_checked(ids_count, raw)}Q", raw, offset)
        offset += 8 * ids_count
        recording.event_names[ids] = name or described.name
    _name_by_position(recording)


def _name_by_position(recording: PerfRecording) -> None:
    """An event without ids, as of a recording of one event, is known by its place."""
    if len(recording.event_names) == len(recording.attributes):
        for position, name in enumerate(recording.event_names.values()):
            recording.attributes[position] = recording.attributes[position].named(name)


def _checked(count: int, raw: bytes) -> int:
    if 8 * count > len(raw):
        message = f"{count} ids in {len(raw)} bytes"
        raise struct.error(message)
    return count


def _learn_build_ids(recording: PerfRecording, raw: bytes) -> None:
    """The table is a row of HEADER_BUILD_ID records whose type was left 0."""
    offset = 0
    while offset + 8 <= len(raw):
        size = recording.order.unpack("IHH", raw, offset)[2]
        if size <= 36 or offset + size > len(raw):
            break
        learn_build_id(recording, raw[offset : offset + size])
        offset += size


def learn_build_id(recording: PerfRecording, record: bytes) -> None:
    """The build id of a dso: header, pid, 20 bytes of id, its size, file name."""
    misc = recording.order.unpack("IHH", record)[1]
    size = record[32] if misc & records.MISC_BUILD_ID_SIZE else _BUILD_ID_BYTES
    build_id = record[12 : 12 + min(size, _BUILD_ID_BYTES)]
    recording.add_build_id(text(record[36:]), build_id.hex())


_LEARNED = {
    EVENT_DESC: _learn_events,
    PMU_MAPPINGS: _learn_pmus,
    BUILD_ID: _learn_build_ids,
}

_TRACING_MAGIC = b"\x17\x08\x44tracing"
_TRACEPOINT = re.compile(rb"name: (\S+)\nID: (\d+)\n")


def tracepoints(raw: bytes) -> dict[int, str]:
    """Id -> name as perf prints it, `sched:sched_switch`; raises struct.error where it is cut off
    or something else."""
    if not raw.startswith(_TRACING_MAGIC):
        message = f"tracing data that begin with {raw[:10]!r}"
        raise struct.error(message)
    return dict(_TracingReader(raw).names())


class _TracingReader:
    """Reads tracing data from the front to the back."""

    def __init__(self, raw: bytes) -> None:
        self._raw, self._at = raw, len(_TRACING_MAGIC)
        self._text()  # the version
        self._order = ByteOrder(big=self._take(6)[:1] == b"\1")

    def names(self) -> Iterator[tuple[int, str]]:
        for _ in ("header_page", "header_event"):
            self._text()
            self._sized()
        for _ in range(self._number("I")):
            self._sized()
        for _ in range(self._number("I")):
            yield from self._system(self._text())

    def _system(self, system: str) -> Iterator[tuple[int, str]]:
        for _ in range(self._number("I")):
            if match := _TRACEPOINT.match(self._sized()):
                yield int(match[2]), f"{system}:{match[1].decode('utf-8', 'backslashreplace')}"

    def _number(self, form: str) -> int:
        return int(self._order.unpack(form, self._take(4 if form == "I" else 8))[0])

    def _sized(self) -> bytes:
        return self._take(self._number("Q"))

    def _text(self) -> str:
        end = self._raw.find(b"\0", self._at)
        return self._take(end + 1 - self._at)[:-1].decode("utf-8", "backslashreplace")

    def _take(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        if size < 0 or self._at > len(self._raw):
            message = f"tracing data of {len(self._raw)} bytes"
            raise struct.error(message)
        return self._raw[start : self._at]
