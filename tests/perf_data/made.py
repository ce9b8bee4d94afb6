"""Makes small recordings for what no machine at hand records: LBR call stacks, deferred callers,
guests. Layout: linux/perf_event.h and tools/perf/Documentation/perf.data-file-format.txt."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from perfduck_ingest.perf_data import records

KERNEL, USER = records.CONTEXT_KERNEL, records.CONTEXT_USER
FIELDS = records.SAMPLE_IP | records.SAMPLE_TID | records.SAMPLE_TIME | records.SAMPLE_PERIOD
CHAIN = FIELDS | records.SAMPLE_CALLCHAIN
_SAMPLE_ID_ALL = 1 << 18
_FREQUENCY = 1 << 10
PID = 500


def words(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}Q", *numbers)


def text(string: str) -> bytes:
    raw = string.encode() + b"\0"
    return raw + bytes(-len(raw) % 8)


@dataclass
class Recording:
    """A recording of one event, `cpu-clock`, or of `events`: type, config, id and name of each ('':
    not described), of which samples have the id. Records in the order in which they are added."""

    sample_type: int
    branch_type: int = 0
    flags: int = 0
    hostname: str = "testhost"
    release: str = "6.8.0-test"
    features: dict[int, bytes] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)
    events: list[tuple[int, int, int, str]] = field(default_factory=list)

    def record(self, kind: int, mode: int, body: bytes) -> None:
        self.parts.append(struct.pack("<IHH", kind, mode, 8 + len(body)) + body)

    def comm(self, name: str, time: int = 1) -> None:
        head = struct.pack("<ii", PID, PID)
        self.record(records.COMM, 0, head + text(name) + self._id(time))

    def map(
        self, start: int, size: int, offset: int, name: str,
        *, mode: int = records.USER, pid: int = PID, time: int = 2,
    ) -> None:  # fmt: skip
        head = struct.pack("<iiQQQ", pid, pid, start, size, offset)
        self.record(records.MMAP, mode, head + text(name) + self._id(time))

    def sample(
        self, time: int, ip: int, chain: Sequence[int] | None = None,
        branches: Sequence[tuple[int, int]] | None = None,
        *, mode: int = records.USER, period: int = 1000, tail: bytes = b"", number: int = 0,
    ) -> None:  # fmt: skip
        body = (words(number) if self.events else b"") + words(ip)
        body += struct.pack("<ii", PID, PID) + words(time, period)
        if chain is not None:
            body += words(len(chain), *chain)
        if branches is not None:
            body += words(len(branches), *(one for pair in branches for one in (*pair, 0)))
        self.record(records.SAMPLE, mode, body + tail)

    def user_callers(self, time: int, cookie: int, entries: Sequence[int]) -> None:
        body = words(cookie, len(entries), *entries) + self._id(time)
        self.record(records.CALLCHAIN_DEFERRED, records.USER, body)

    def _id(self, time: int) -> bytes:
        number = words(self.events[0][2]) if self.events else b""
        return struct.pack("<ii", PID, PID) + words(time) + number

    def _features(self) -> dict[int, bytes]:
        found = {3: padded(self.hostname), 4: padded(self.release), **self.features}
        named = [event for event in self.events if event[3]]
        if named:
            found[12] = struct.pack("<II", len(named), 128) + b"".join(
                self._attribute(kind, config) + struct.pack("<I", 1) + padded(name) + words(number)
                for kind, config, number, name in named
            )
        return found

    def _attribute(self, kind: int, config: int) -> bytes:
        flags = self.flags | _SAMPLE_ID_ALL | _FREQUENCY
        attr = struct.pack("<IIQQQQQ", kind, 128, config, 4000, self.sample_type, 0, flags)
        return attr + bytes(24) + words(self.branch_type) + bytes(128 - 80)

    def raw(self) -> bytes:
        events = self.events or [(1, 0, 0, "")]
        ids = words(*(number for _, _, number, _ in self.events))
        attr = b"".join(
            self._attribute(kind, config) + words(104 + 8 * place, 8 if self.events else 0)
            for place, (kind, config, _, _) in enumerate(events)
        )
        data, found = b"".join(self.parts), self._features()
        attrs_at = 104 + len(ids)
        start = attrs_at + len(attr)
        size = len(attr) // len(events)
        head = b"PERFILE2" + words(104, size, attrs_at, len(attr), start, len(data), 0, 0)
        head += sum(1 << kind for kind in found).to_bytes(32, "little")
        at = start + len(data) + 16 * len(found)
        table, bodies = b"", b""
        for _, body in sorted(found.items()):
            table += words(at + len(bodies), len(body))
            bodies += body
        return head + ids + attr + data + table + bodies

    def write(self, path: Path) -> Path:
        path.write_bytes(self.raw())
        return path


def padded(string: str) -> bytes:
    raw = text(string)
    return struct.pack("<I", len(raw)) + raw
