"""The byte order of a recording, and the two numbers that share a word.

Fields are gathered as whole 64-bit words. Where two 32-bit fields share one, which is first in the
file depends on the machine that recorded:

    little:  pid = word & 0xffffffff     tid = word >> 32
    big:     pid = word >> 32            tid = word & 0xffffffff
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from perfduck_model.arrays import Int64, UInt64

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


@dataclass(frozen=True, slots=True)
class ByteOrder:
    """How the recording machine laid out numbers."""

    big: bool

    @property
    def mark(self) -> str:
        """For struct and numpy."""
        return ">" if self.big else "<"

    def words(self, raw: bytes | memoryview) -> UInt64:
        """The 64-bit words of `raw`, a rest of less than 8 bytes left out; without a copy where
        the order is this machine's."""
        count = len(raw) // 8
        return np.frombuffer(raw, f"{self.mark}u8", count).astype(np.uint64, copy=False)

    def first(self, words: UInt64) -> UInt64:
        """The 32-bit field that comes first in each word."""
        return words >> _HALF if self.big else words & _LOW

    def second(self, words: UInt64) -> UInt64:
        """The 32-bit field that comes second in each word."""
        return words & _LOW if self.big else words >> _HALF

    def types(self, headers: UInt64) -> UInt64:
        """The types in record headers."""
        return self.first(headers)

    def misc(self, headers: UInt64) -> UInt64:
        """The flags of record headers: u32 type, u16 misc, u16 size."""
        shift = np.uint64(16 if self.big else 32)
        return (headers >> shift) & np.uint64(0xFFFF)

    def sizes(self, headers: UInt64) -> UInt64:
        """The sizes in record headers, in bytes."""
        return headers >> np.uint64(self.size_shift) & np.uint64(0xFFFF)

    @property
    def size_shift(self) -> int:
        """From which bit on the size is in record headers."""
        return 0 if self.big else 48

    def unpack(self, layout: str, raw: bytes | memoryview, offset: int = 0) -> tuple[Any, ...]:
        """Numbers at `offset`; raises struct.error where `raw` is too short."""
        return struct.unpack_from(self.mark + layout, raw, offset)

    def pack(self, layout: str, *numbers: int) -> bytes:
        """Numbers as the recording machine would have written them."""
        return struct.pack(self.mark + layout, *numbers)


def signed(halves: UInt64) -> Int64:
    """32-bit fields that may be -1."""
    return halves.astype(np.uint32).view(np.int32).astype(np.int64)


def text(raw: bytes | memoryview) -> str:
    """A string of C, up to its first zero byte; bytes that are no UTF-8 become \\xnn."""
    return bytes(raw).split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
