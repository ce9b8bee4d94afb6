"""Files that may be compressed: kallsyms.gz, nf_conntrack.ko.xz, nf_conntrack.ko.zst."""

import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path

import zstandard

from perfduck_symbols.errors import SymbolError


def zstd(content: bytes) -> bytes:
    """The content of a zstd frame, of whatever size."""
    return zstandard.ZstdDecompressor().decompressobj().decompress(content)


COMPRESSIONS: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"\xfd7zXZ\x00": lzma.decompress,
    b"\x28\xb5\x2f\xfd": zstd,
}


def content(path: Path, expected: str) -> bytes:
    """The decompressed bytes of a file; `expected` is what the user was to give."""
    try:
        raw = path.read_bytes()
        for magic, decompress in COMPRESSIONS.items():
            if raw.startswith(magic):
                return decompress(raw)
    except (OSError, EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SymbolError.at(path, None, f"expected {expected}, got: {reason}") from error
    return raw
