"""Where a recording comes from: a plain or compressed file, a pipe, or a directory.

    run.txt  run.txt.gz  run.txt.xz  run.txt.zst  -  oprofile_data/

What is read is hashed on the way: the hash of the decompressed bytes is the recording's identity.
Text with a byte order mark, as editors of Windows and PowerShell's `>` write it, is read as UTF-8.
"""

import codecs
import io
import os
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, BinaryIO, Self, cast

import numpy as np
import xxhash
from msgspec import Struct

from perfduck_ingest.runtime.pipe import standard_input
from perfduck_model.arrays import UInt8
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits
from perfduck_model.special_files import opened_to_read
from perfduck_symbols.compression import BROKEN, opened


def printable(name: str) -> str:
    """A file name that is not UTF-8 as text that can be stored and printed."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


class ReadProgress(Struct, frozen=True):
    """How far a recording has been read."""

    bytes_read: int  # decompressed
    position: int  # in the file as it lies on disk
    content_hash: str  # of what has been read


class Source:
    """A recording to read. `name` is what messages and the store call it."""

    def __init__(self, name: str, file: BinaryIO | None = None) -> None:
        self.name = printable(name)
        self.path = Path(name)
        self.digest = xxhash.xxh3_128()  # of what has been read
        self.bytes_read = 0
        self.is_at_end = False  # whether parts() has given its last part
        self._elsewhere: ReadProgress | None = None
        self._raw: BinaryIO | None = None
        self._stream: IO[bytes] = io.BytesIO()
        self.is_directory = file is None and name != "-" and self.path.is_dir()
        self.head = b""
        if not self.is_directory:
            try:
                self._stream = self._open(file)
                self._stream, self.head = without_mark(self._stream, self._read(limits.head_bytes))
                self.head += self._read(limits.head_bytes - len(self.head))
            except BaseException:
                self.close()
                raise

    def _open(self, file: BinaryIO | None) -> IO[bytes]:
        try:
            raw = file or (standard_input() if self.name == "-" else opened_to_read(self.path))
        except OSError as error:
            raise PerfduckError.at(self.name, expected="a recording", got=error.strerror) from error
        self._raw = raw
        buffered = raw if hasattr(raw, "peek") else io.BufferedReader(cast(io.RawIOBase, raw))
        head = cast(io.BufferedReader, buffered).peek(6)
        return opened(buffered, head)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self._raw is not None and self.name != "-":
            self._stream.close()
            self._raw.close()

    @property
    def size(self) -> int | None:
        """Of the file as it lies on disk; None for a pipe."""
        is_file = self._raw is not None and self.name != "-" and self.path.is_file()
        return self.path.stat().st_size if is_file else None

    @property
    def fraction_read(self) -> float | None:
        """How much of the file has been read; None for a pipe."""
        size = self.size
        return None if size is None else self.reading.position / max(size, 1)

    @property
    def reading(self) -> ReadProgress:
        """How far the recording has been read."""
        if self._elsewhere is not None:
            return self._elsewhere
        position = 0 if self._raw is None or self.size is None else self._raw.tell()
        return ReadProgress(self.bytes_read, position, self.digest.hexdigest())

    def follow(self, reading: ReadProgress) -> None:
        """Who reads the recording in another way says how far."""
        self._elsewhere = reading
        self.bytes_read = reading.bytes_read

    def _read(self, size: int) -> bytes:
        """Exactly `size` bytes, fewer only at the end: a pipe hands over 64 kB at a time."""
        parts = []
        try:
            while size > 0 and (part := self._stream.read(size)):
                parts.append(part)
                size -= len(part)
        except BROKEN as error:
            raise self._broken(error) from error
        return b"".join(parts)

    def chunks(self, size: int) -> Iterator[bytes]:
        """The whole content, head included, in parts of `size` bytes; counted and hashed."""
        part = self.head + self._read(max(size - len(self.head), 0))
        while part:
            self._note(part)
            yield part
            part = self._read(size)

    def parts(self, size: int, last_start: Callable[[memoryview], int]) -> Iterator[memoryview]:
        """The whole content, head included, in parts of about `size` bytes; counted and hashed.
        `last_start` says where the last entry of a part starts, which may go on behind it."""
        self._note(self.head)
        rest = memoryview(self.head)
        buffers = _Buffers()
        while len(part := self._continued(rest, buffers.of(len(rest) + size))) > len(rest):
            start = last_start(part)
            if start:
                yield part[:start]
            rest = part[start:]
        self.is_at_end = True
        if rest:
            yield rest

    def _continued(self, rest: memoryview, part: memoryview) -> memoryview:
        """The part, filled with what has been read already and with more; whole but at the end."""
        part[: len(rest)] = rest
        filled = len(rest)
        stream = cast(io.BufferedReader, self._stream)
        try:
            while filled < len(part) and (got := stream.readinto(part[filled:])):
                filled += got
        except BROKEN as error:
            raise self._broken(error) from error
        self._note(part[len(rest) : filled])
        return part[:filled]

    def _note(self, part: bytes | memoryview) -> None:
        self.digest.update(part)
        self.bytes_read += len(part)

    def _broken(self, error: BaseException) -> PerfduckError:
        reason = str(error).rstrip(".")
        hint = "what compressed or copied it was stopped: do that again"
        return PerfduckError(
            f"{self.name}: expected a whole compressed file, got {reason} ({hint})"
        )


class _Buffers:
    """Memory for the parts of a recording. What nothing refers to any more is used again: reading
    and parsing 826 MB takes 0.25 s of CPU time more where each part has fresh pages."""

    def __init__(self) -> None:
        self._free: list[UInt8] = []

    def of(self, size: int) -> memoryview:
        """So many bytes, of any content."""
        buffer = self._free.pop() if self._free else np.empty(0, np.uint8)
        if len(buffer) < size:
            # numpy's memory has huge pages: 826 MB are read in 0.3 s of CPU time, into bytes in
            # 0.7 s.
            buffer = np.empty(size + size // 8, np.uint8)
        lent = buffer[:size]  # views of it, whoever has them, keep this array
        weakref.finalize(lent, self._free.append, buffer)
        return lent.data


_MARKS_OF_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_READ_BYTES = 1 << 20


def without_mark(stream: IO[bytes], head: bytes) -> tuple[IO[bytes], bytes]:
    """The stream and what was read of it, in UTF-8 and without a byte order mark."""
    if head.startswith(_MARKS_OF_UTF16):
        return io.BufferedReader(_Utf16(stream, head)), b""
    return stream, head.removeprefix(codecs.BOM_UTF8)


class _Utf16(io.RawIOBase):
    """The text of a stream in UTF-16, as UTF-8."""

    def __init__(self, stream: IO[bytes], head: bytes) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-16")(errors="replace")
        self._ready = self._decoder.decode(head).encode()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io calls it so
        while not self._ready and (part := self._stream.read(_READ_BYTES)):
            self._ready = self._decoder.decode(part).encode()
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size
