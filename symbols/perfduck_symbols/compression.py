"""Files that may be compressed: run.txt.zst, kallsyms.gz, nf_conntrack.ko.xz, a pipe of either."""

import bz2
import gzip
import io
import lzma
import tempfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import IO, BinaryIO, cast

from perfduck_model.errors import SymbolError
from perfduck_model.small_file import UserFile
from perfduck_model.zstandard import zstd


def open_zstd(file: BinaryIO) -> IO[bytes]:
    """The decompressed bytes of zstd frames. Reading raises EOFError where the last one is cut off,
    and ZstdError where a frame needs a window over 128 MB (zstd --long=28 and above)."""
    return cast(IO[bytes], zstd.open(file))


_PART_BYTES = 1 << 20
_PACKED_BYTES = 1 << 14  # of which each stream that ends copies the rest: there may be a million
_Decoder = lzma.LZMADecompressor | bz2.BZ2Decompressor


class _Streams(io.RawIOBase):
    """The decompressed bytes of xz or bzip2 streams, one behind the other, with zeros between them
    as padding. lzma.open and bz2.open end at padding, and at a stream whose beginning is damaged,
    as if nothing were behind it. Reading raises what BROKEN lists."""

    def __init__(self, file: BinaryIO, decoder: Callable[[], _Decoder]) -> None:
        self._file, self._new_decoder = file, decoder
        self._decoder = decoder()
        self._rest = b""  # read, and not yet given to the decoder

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io calls it so
        while not self._decoder.eof or self._goes_on():
            if self._decoder.needs_input and not self._rest:
                self._rest = self._file.read(_PACKED_BYTES)
                if not self._rest:
                    message = "one that ends before its last stream does"
                    raise EOFError(message)
            part = self._decoder.decompress(self._rest, len(buffer))
            self._rest = b""
            if part:
                buffer[: len(part)] = part
                return len(part)
        return 0

    def _goes_on(self) -> bool:
        """Whether there is a stream behind the one that ended: then it is the next to read."""
        rest = self._decoder.unused_data.lstrip(b"\0")
        while not rest and (part := self._file.read(_PACKED_BYTES)):
            rest = part.lstrip(b"\0")
        if rest:
            self._decoder, self._rest = self._new_decoder(), rest
        return bool(rest)


def _open_xz(file: BinaryIO) -> IO[bytes]:
    return io.BufferedReader(_Streams(file, lzma.LZMADecompressor))


def _open_bz2(file: BinaryIO) -> IO[bytes]:
    return io.BufferedReader(_Streams(file, bz2.BZ2Decompressor))


# Magic bytes -> opener. To read another compression, add a line.
COMPRESSIONS: dict[bytes, Callable[[BinaryIO], IO[bytes]]] = {
    b"\x1f\x8b": gzip.open,  # type: ignore[dict-item]  # its overloads hide the binary one
    b"\xfd7zXZ\x00": _open_xz,
    b"BZh": _open_bz2,
    b"\x28\xb5\x2f\xfd": open_zstd,
    # Skippable frames, of which there are 16 kinds: pzstd begins with the first.
    **{bytes([kind, 0x2A, 0x4D, 0x18]): open_zstd for kind in range(0x50, 0x60)},
}
BROKEN = (EOFError, OSError, lzma.LZMAError, zlib.error, zstd.ZstdError)


def opened(file: BinaryIO, head: bytes) -> IO[bytes]:
    """The decompressed bytes of a file, to be read; `head` is what it begins with."""
    for magic, opener in COMPRESSIONS.items():
        if head.startswith(magic):
            return opener(file)
    return file


def unpacked(file: UserFile, expected: str, most: int) -> bytes:
    """The decompressed bytes of a file, no more than `most`; `expected` is what the user was to
    give. Raises SymbolError."""
    try:
        packed = file.content
        content = opened(BytesIO(packed), packed[:6])
        parts, rest = [], most + 1
        while rest and (part := content.read(min(rest, _PART_BYTES))):
            parts.append(part)
            rest -= len(part)
    except BROKEN as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SymbolError.in_file(file.path, None, f"expected {expected}, got: {reason}") from error
    if not rest:
        raise SymbolError.in_file(
            file.path, None, f"expected {expected} of at most {size(most)}, got more"
        )
    return b"".join(parts)


def unpack_to_disk(path: Path, begins: bytes, expected: str, most: int) -> IO[bytes]:
    """A temporary file without a name with the decompressed bytes of a packed one, if they begin
    so: ValueError otherwise, SymbolError for more than `most` bytes. Raises what BROKEN lists."""
    with path.open("rb") as file:
        unpacked = opened(file, file.peek(6))
        part = unpacked.read(len(begins))
        if part != begins:
            message = f"packed data that begin with {part!r}"
            raise ValueError(message)
        disk, written = tempfile.TemporaryFile(), 0  # noqa: SIM115  # whoever asks closes it
        while part:
            written += len(part)
            if written > most:
                disk.close()
                reason = f"expected {expected} of at most {size(most)}, got more"
                raise SymbolError.in_file(path, None, reason)
            disk.write(part)
            part = unpacked.read(_PART_BYTES)
    disk.flush()
    return cast(IO[bytes], disk)


def size(most: int) -> str:
    """A bound in words."""
    return f"{most >> 20:,} MB"
