"""What simpleperf (Android) puts into a recording: its features META_INFO, FILE and FILE2.

    META_INFO  key, value, ...: event_type_info = "cpu-clock,1,0\\nsched:sched_switch,2,45"
    FILE       u32 size, path, u32 type, u64 min_vaddr, u32 count, {u64 vaddr, u32 len, name} ...,
               u64 file_offset_of_min_vaddr
    FILE2      u32 size, protobuf {1: path, 2: type, 3: min_vaddr,
               4: {1: vaddr, 2: len, 3: name} ..., 6: {1: file_offset_of_min_vaddr}}

Source: system/extras/simpleperf/record_file_format.h and record_file_reader.cpp; the numbers of the
fields as SimpleperfFileRecord of the crate linux-perf-data 0.13.0 has them. Only ELF files are read
whose offset was recorded: symbols of the kernel come from kallsyms, and code of Java has no address
in a file.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from perfduck_ingest.perf_data.records import ByteOrder

FILE = 128
META_INFO = 129
FILE2 = 132
_ELF = 2
_UNKNOWN_OFFSET = (1 << 64) - 1
Symbol = tuple[int, int, bytes]  # address, size, name


@dataclass(slots=True)
class RecordedFile:
    """A binary and its functions, by virtual address."""

    path: str = ""
    kind: int = 0
    lowest: int = 0  # virtual address of the code
    offset: int = _UNKNOWN_OFFSET  # of that address in the file
    symbols: list[Symbol] = field(default_factory=list)

    @property
    def is_placed(self) -> bool:
        """Whether it is known where in the file the functions are: what a map leads to."""
        return self.kind == _ELF and self.offset != _UNKNOWN_OFFSET

    @property
    def shift(self) -> int:
        """From virtual addresses to offsets in the file."""
        return self.offset - self.lowest


def event_types(raw: bytes) -> dict[tuple[int, int], str]:
    """Type and config -> name of the recorded events; raises struct.error where a line of them is
    another."""
    words = raw.split(b"\0")
    said = dict(zip(words[::2], words[1::2], strict=False)).get(b"event_type_info", b"")
    types = {}
    for line in said.decode("utf-8", "backslashreplace").splitlines():
        name, *numbers = line.rsplit(",", 2)
        if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
            message = f"event type {line!r}"
            raise struct.error(message)
        types[int(numbers[0]), int(numbers[1])] = name
    return types


def files(feature: int, raw: bytes, order: ByteOrder) -> Iterator[RecordedFile]:
    """The files of a feature; raises struct.error where it is cut off."""
    at = 0
    while at < len(raw):
        (size,) = order.unpack("I", raw, at)
        at += 4 + size
        if at > len(raw):
            message = f"file of {size} bytes"
            raise struct.error(message)
        yield (
            _file(raw[at - size : at], order) if feature == FILE else _message(raw[at - size : at])
        )


def _file(raw: bytes, order: ByteOrder) -> RecordedFile:
    path, at = _text(raw, 0)
    kind, lowest, count = order.unpack("IQI", raw, at)
    at += 16
    file = RecordedFile(path.decode("utf-8", "backslashreplace"), kind, lowest)
    for _ in range(count):
        address, length = order.unpack("QI", raw, at)
        name, at = _text(raw, at + 12)
        file.symbols.append((address, length, name))
    if kind == _ELF and at + 8 <= len(raw):  # early ones did not say it
        file.offset = order.unpack("Q", raw, at)[0]
    return file


def _text(raw: bytes, at: int) -> tuple[bytes, int]:
    end = raw.find(b"\0", at)
    if end < 0:
        message = "text without an end"
        raise struct.error(message)
    return raw[at:end], end + 1


def _message(raw: bytes) -> RecordedFile:
    file = RecordedFile()
    for number, value in _fields(raw):
        if number == 1 and isinstance(value, bytes):
            file.path = value.decode("utf-8", "backslashreplace")
        elif number == 2 and isinstance(value, int):
            file.kind = value
        elif number == 3 and isinstance(value, int):
            file.lowest = value
        elif number == 4 and isinstance(value, bytes):
            file.symbols.append(_symbol(value))
        elif number == 6 and isinstance(value, bytes):
            file.offset = _integer(dict(_fields(value)).get(1, 0))
    return file


def _symbol(raw: bytes) -> Symbol:
    fields = dict(_fields(raw))
    address, size, name = (fields.get(number, 0) for number in (1, 2, 3))
    return _integer(address), _integer(size), name if isinstance(name, bytes) else b""


def _integer(value: int | bytes) -> int:
    if not isinstance(value, int):
        message = "bytes for a number"
        raise struct.error(message)
    return value


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Fields of a protobuf message: their numbers, and integers or bytes."""
    at = 0
    while at < len(raw):
        key, at = _varint(raw, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(raw, at)
            yield key >> 3, value
        elif kind == 2:
            size, at = _varint(raw, at)
            if at + size > len(raw):
                message = f"field of {size} bytes"
                raise struct.error(message)
            yield key >> 3, raw[at : at + size]
            at += size
        else:
            message = f"field of wire type {kind}"
            raise struct.error(message)


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(raw[at : at + 10]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value & ((1 << 64) - 1), at + place + 1
    message = "varint without an end"
    raise struct.error(message)
