"""Records out of a stream of bytes: cut into blocks of whole records, unpacked where packed.

    u32 type, u16 misc, u16 size | size - 8 bytes ...   and the next record right behind

Only the sizes are walked, one by one; everything else is done with the columns of a whole block.
"""

import struct
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import numpy as np

from perfduck_ingest.perf_data import records
from perfduck_ingest.perf_data.records import ByteOrder
from perfduck_kernels import kernels
from perfduck_model.arrays import Int64, UInt64
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits
from perfduck_model.zstandard import zstd

# Threads hand the interpreter over at every call of numpy: with 4 MB reading takes 2.0 s, not 1.6.
_PACKED = (records.COMPRESSED, records.COMPRESSED2)
# Their size does not count what is behind them, in a pipe and in the file.
_WITH_TAIL = (records.HEADER_TRACING_DATA, records.AUXTRACE)


@dataclass(frozen=True, slots=True)
class Block:
    """Whole records, one behind the other."""

    raw: memoryview
    words: UInt64  # raw, as numbers of this machine
    starts: Int64  # first word of each record
    headers: UInt64
    types: Int64  # below records.TYPES

    def of(self, *types: int) -> Int64:
        """Which records are of these types."""
        is_type = np.zeros(records.TYPES, np.bool_)
        is_type[list(types)] = True
        return np.flatnonzero(is_type[self.types])


class Stream:
    """Cuts the parts of a stream into blocks."""

    def __init__(self, name: str, order: ByteOrder, learn: Callable[[bytes], None]) -> None:
        """`learn` gets the tracing data of a pipe, before the records behind them."""
        self._name = name
        self._order = order
        self._learn = learn
        self._tracing: bytearray | None = None  # as far as they were read
        self._position = 0  # in the stream, of the part at hand
        self._skip = 0  # bytes to skip: what is behind its record
        self._unpacker: zstd.ZstdDecompressor | None = None
        self._is_loose = False  # whether records may begin anywhere
        self._cut_off = b""  # of an unpacked record whose end is in the next pack
        self._walked: tuple[Int64, int] | None = None  # the records of the part at hand

    def ends(self, start: int) -> Callable[[memoryview], int]:
        """Where the whole records of a part end: what is behind goes to the front of the next part,
        and no part is copied. The first record is at byte `start` of all parts."""

        def end(part: memoryview) -> int:
            nonlocal start
            first, start = start, max(start - len(part), 0)
            if first % 8 or first > len(part) or self._skip or self._is_loose:
                return len(part)
            self._walked = self._walk(self._order.words(part[first:]))
            return first + 8 * self._walked[1] or len(part)

        return end

    def blocks(self, parts: Iterator[memoryview]) -> Iterator[Block]:
        """The records of all parts; a record cut off at the end is an error."""
        rest = b""
        for part in parts:
            data = memoryview(part)
            if rest:
                data, self._walked = _joined(rest, part), None
            done = yield from self._cut(data)
            rest = bytes(data[done:])
            self._position += done
        if rest or self._cut_off or self._skip:
            got = f"{len(rest or self._cut_off)} bytes of one"
            raise self._error(0, f"a whole record, got {got}")

    def _cut(self, data: memoryview) -> Generator[Block, None, int]:
        """Blocks of `data`; returns how many of its bytes are done with."""
        done = 0
        while True:
            done += self._pass(data[done:])
            rest = data[done:] if done % 8 == 0 else memoryview(bytes(data[done:]))
            block, size = self._loose(rest, done) if self._is_loose else self._block(rest)
            if len(block.starts):
                yield block
            done += size
            if size == 0 and (self._is_loose or not self._has_more(rest)):
                return done
            self._is_loose = self._unpacker is not None or size == 0

    def _pass(self, data: memoryview) -> int:
        """How many bytes of `data` stand behind their record; tracing data are kept."""
        passed = min(self._skip, len(data))
        self._skip -= passed
        if self._tracing is not None:
            self._tracing += data[: min(passed, limits.most_tracing_bytes - len(self._tracing))]
            if not self._skip:
                self._learn(bytes(self._tracing))
                self._tracing = None
        return passed

    def _has_more(self, rest: memoryview) -> bool:
        """Whether a whole record is there, one that is not of whole words or packed."""
        if len(rest) < 8:
            return False
        return int(self._order.unpack("IHH", rest)[2]) <= len(rest)

    def _block(self, data: memoryview) -> tuple[Block, int]:
        """The whole records at the beginning of `data`, up to one that needs other treatment,
        and their size."""
        words = self._order.words(data)
        walked, self._walked = self._walked, None
        if walked is None or walked[1] > len(words):  # there is more behind the records
            walked = self._walk(words)
        starts, end = walked
        block = _block(data, words, starts, self._order)
        odd = np.flatnonzero(self._order.sizes(block.headers) % np.uint64(8))
        index = min((*odd[:1].tolist(), *block.of(*_PACKED, *_WITH_TAIL)[:1].tolist()), default=-1)
        if index < 0:
            return block, 8 * end
        return _block(data, words, block.starts[:index], self._order), 8 * int(starts[index])

    def _loose(self, data: memoryview, at: int) -> tuple[Block, int]:
        """Records one by one, up to a sample or about a block of unpacked ones, padded to whole
        words: those that perf writes, and those behind packed ones, may begin anywhere."""
        parts: list[bytes] = []
        unpacked = done = 0
        while done + 8 <= len(data) and not self._skip and unpacked < limits.block_bytes:
            kind, _, size = self._order.unpack("IHH", data, done)
            if size < 8:
                raise self._error(at + done, f"a record of 8 bytes or more, got {size}")
            is_plain = kind == records.SAMPLE and self._unpacker is None
            if done + size > len(data) or (is_plain and parts):
                break
            record = data[done : done + size]
            if kind in _PACKED:
                parts.append(self._unpacked(record, at + done))
            else:
                parts.append(self._padded(record))
            unpacked += len(parts[-1])
            if kind in _WITH_TAIL:
                self._skip = self._tail(record, at + done)
            done += size
        return self._joined(parts, at + done), done

    def _padded(self, record: memoryview) -> bytes:
        """The record, of whole words."""
        missing = -len(record) % 8
        if not missing:
            return bytes(record)
        kind, misc, size = self._order.unpack("IHH", record)
        head = self._order.pack("IHH", kind, misc, min(size + missing, 0xFFF8))
        return (head + bytes(record[8:]) + bytes(missing))[:0xFFF8]

    def _tail(self, record: memoryview, at: int) -> int:
        """How many bytes stand behind a record with a tail."""
        try:
            if self._order.unpack("I", record)[0] == records.AUXTRACE:
                return int(self._order.unpack("Q", record, 8)[0])
            self._tracing = bytearray()
            return (int(self._order.unpack("I", record, 8)[0]) + 7) // 8 * 8
        except struct.error as error:
            raise self._error(at, f"a size behind the header, got {error}") from error

    def _joined(self, parts: list[bytes], at: int) -> Block:
        data = memoryview(b"".join(parts))
        words = self._order.words(data)
        starts, end = self._walk(words)
        block = _block(data, words, starts, self._order)
        if 8 * end != len(data) or (self._order.sizes(block.headers) % np.uint64(8)).any():
            raise self._error(at, "whole records of whole words in a pack, got others")
        return block

    def _unpacked(self, record: memoryview, at: int) -> bytes:
        """The whole records that a pack completes."""
        kind = self._order.unpack("I", record)[0]
        if self._unpacker is None or self._unpacker.eof:
            self._unpacker = zstd.ZstdDecompressor()
        try:
            end = (
                16 + self._order.unpack("Q", record, 8)[0] if kind == records.COMPRESSED2 else None
            )
            packed = record[16:end] if end else record[8:]
            fresh = self._unpacker.decompress(packed, limits.most_pack_bytes)
        except (zstd.ZstdError, struct.error) as error:
            raise self._error(at, f"zstd data, got {error}") from error
        if not (self._unpacker.needs_input or self._unpacker.eof):
            most_mb = limits.most_pack_bytes >> 20
            raise self._error(at, f"packs of at most {most_mb} MB unpacked, got more")
        data = self._cut_off + fresh
        end = self._walk(self._order.words(data))[1]
        self._cut_off = data[8 * end :]
        return data[: 8 * end]

    def _walk(self, words: UInt64) -> tuple[Int64, int]:
        return kernels.walk_records(words, self._order.size_shift)

    def _error(self, at: int, message: str) -> PerfduckError:
        return PerfduckError(f"{self._name}: byte {self._position + at}: expected {message}")


def _joined(rest: bytes, part: memoryview) -> memoryview:
    # numpy's memory has huge pages, that of bytes is cleared page by page.
    whole = np.empty(len(rest) + len(part), np.uint8)
    whole[: len(rest)] = np.frombuffer(rest, np.uint8)
    whole[len(rest) :] = np.frombuffer(part, np.uint8)
    return whole.data


def _block(data: memoryview, words: UInt64, starts: Int64, order: ByteOrder) -> Block:
    headers = words[starts]
    types = np.minimum(order.types(headers), np.uint64(records.TYPES - 1)).view(np.int64)
    return Block(data, words, starts, headers, types)
