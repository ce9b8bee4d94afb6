"""Files that may be compressed: run.txt.zst, kallsyms.gz, nf_conntrack.ko.xz, a pipe of either."""

import bz2
import gzip
import lzma
import sys
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import IO, BinaryIO, cast

from perfduck_model.errors import SymbolError

if sys.version_info >= (3, 14):
    from compression import zstd as zstd
else:
    from backports import zstd as zstd


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
BROKEN = (EOFError, OSError, lzma.LZMAError, zlib.error, zstd.ZstdError)


def opened(file: BinaryIO, head: bytes) -> IO[bytes]:
    """The decompressed bytes of a file, to be read; `head` is what it begins with."""
    for magic, opener in COMPRESSIONS.items():
        if head.startswith(magic):
            return opener(file)
    return file


def content(path: Path, expected: str) -> bytes:
    """The decompressed bytes of a file; `expected` is what the user was to give."""
    try:
        raw = path.read_bytes()
        return opened(BytesIO(raw), raw).read()
    except BROKEN as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SymbolError.at(path, None, f"expected {expected}, got: {reason}") from error
