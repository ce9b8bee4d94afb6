"""Names of tracepoints, from the tracing data of a recording.

    17 08 44 "tracing" "0.6" | u8 is big, u8 size of a long, u32 size of a page
    "header_page" u64 size, text | "header_event" u64 size, text
    u32 count, {u64 size, format} ...                             of ftrace itself
    u32 systems, {"sched", u32 count, {u64 size, format} ...} ...
                  name: sched_switch
                  ID: 372

Source: tools/perf/util/trace-event-read.c. What is behind the formats is not read.
"""

import re
import struct
from collections.abc import Iterator

from perfduck_ingest.perf_data.byte_order import ByteOrder

_MAGIC = b"\x17\x08\x44tracing"
_FORMAT = re.compile(rb"name: (\S+)\nID: (\d+)\n")


def tracepoints(raw: bytes) -> dict[int, str]:
    """Id -> name as perf prints it, `sched:sched_switch`; raises struct.error where it is cut off
    or something else."""
    if not raw.startswith(_MAGIC):
        message = f"tracing data that begin with {raw[:10]!r}"
        raise struct.error(message)
    return dict(_Reader(raw).names())


class _Reader:
    """Reads from the front to the back."""

    def __init__(self, raw: bytes) -> None:
        self._raw, self._at = raw, len(_MAGIC)
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
            if found := _FORMAT.match(self._sized()):
                yield int(found[2]), f"{system}:{found[1].decode('utf-8', 'backslashreplace')}"

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
