"""Symbols that simpleperf (Android) put into a recording: features FILE and FILE2.

    FILE    u32 size, path, u32 type, u64 min_vaddr, u32 count, {u64 vaddr, u32 len, name} ...,
            u64 file_offset_of_min_vaddr
    FILE2   u32 size, FileFeature of record_file.proto

Source: system/extras/simpleperf/record_file_format.h. Only ELF files are read: symbols of the
kernel come from kallsyms, and code of Java has no address in a file.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from perfduck_ingest.perf_data.byte_order import ByteOrder

FILE = 128
FILE2 = 132
_ELF = 2
Symbol = tuple[int, int, bytes]  # address, size, name


@dataclass(slots=True)
class RecordedFile:
    """A binary and its functions, by virtual address; `shift` leads from there to the file."""

    path: str = ""
    kind: int = 0
    shift: int = 0
    symbols: list[Symbol] = field(default_factory=list)

    @property
    def is_elf(self) -> bool:
        """Whether addresses in the file are what a map leads to."""
        return self.kind == _ELF


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
    found = RecordedFile(path.decode("utf-8", "backslashreplace"), kind)
    for _ in range(count):
        address, length = order.unpack("QI", raw, at)
        name, at = _text(raw, at + 12)
        found.symbols.append((address, length, name))
    if found.is_elf and at + 8 <= len(raw):  # early ones did not tell
        found.shift = order.unpack("Q", raw, at)[0] - lowest
    return found


def _text(raw: bytes, at: int) -> tuple[bytes, int]:
    end = raw.find(b"\0", at)
    if end < 0:
        message = "text without an end"
        raise struct.error(message)
    return raw[at:end], end + 1


def _message(raw: bytes) -> RecordedFile:
    found, lowest, offset = RecordedFile(), 0, 0
    for number, value in _fields(raw):
        if number == 1 and isinstance(value, bytes):
            found.path = value.decode("utf-8", "backslashreplace")
        elif number == 2 and isinstance(value, int):
            found.kind = value
        elif number == 3 and isinstance(value, int):
            lowest = value
        elif number == 4 and isinstance(value, bytes):
            found.symbols.append(_symbol(value))
        elif number == 6 and isinstance(value, bytes):
            offset = next((one for _, one in _fields(value) if isinstance(one, int)), 0)
    found.shift = offset - lowest
    return found


def _symbol(raw: bytes) -> Symbol:
    found = dict(_fields(raw))
    address, size, name = (found.get(number, 0) for number in (1, 2, 3))
    if not (isinstance(address, int) and isinstance(size, int)):
        message = "symbol without an address"
        raise struct.error(message)
    return address, size, name if isinstance(name, bytes) else b""


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
