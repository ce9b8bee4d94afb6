"""Text with a byte order mark, as editors of Windows and PowerShell's `>` write it, as UTF-8."""

import codecs
import io
from typing import IO

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
