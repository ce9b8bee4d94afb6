"""Files that may be compressed: run.txt.zst, kallsyms.gz, nf_conntrack.ko.xz, a pipe of either."""

import bz2
import gzip
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


# Magic bytes -> opener. To read another compression, add a line.
COMPRESSIONS: dict[bytes, Callable[[BinaryIO], IO[bytes]]] = {
    b"\x1f\x8b": gzip.open,  # type: ignore[dict-item]  # its overloads hide the binary one
    b"\xfd7zXZ\x00": lzma.open,
    b"BZh": bz2.open,
    b"\x28\xb5\x2f\xfd": open_zstd,
    b"\x50\x2a\x4d\x18": open_zstd,  # pzstd begins with a skippable frame
}
_PART_BYTES = 1 << 20
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
