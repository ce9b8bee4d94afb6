"""The body of a push on its way to the disk: one file, or multipart with files beside it.

Chunks come from the network and go to files; no body is ever in memory.
"""

import asyncio
import errno
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

import anyio.to_thread
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from perfduck import PerfduckError
from perfduck_model.durable import sync_file
from perfduck_server.spool import ATTACH, JOB_FILE, KALLSYMS, STORE_FILE, WORK

RECORDING = "recording"
_WRITTEN_BYTES = 1 << 20
_KEPT_FREE_BYTES = 256 << 20  # of the disk, for the store itself
_DRAINED_BYTES, _DRAINED_S = 64 << 20, 10.0
_LONGEST_NAME = 150
_MOST_PARTS = 50
_RESERVED = (JOB_FILE, KALLSYMS, WORK)
_OF_SERVER = (STORE_FILE, ATTACH)  # what names of its own files begin with
_PARTS = f"{RECORDING}, {KALLSYMS}, {WORK}, {ATTACH}KIND"


class UploadRefused(Exception):
    """A body that is not taken, with its HTTP status."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


class Sink(Protocol):
    """Where a body goes. `file`: the name of the recording in the folder; `parts`: of the other
    files there."""

    file: str
    parts: list[str]

    def write(self, data: bytes) -> None:
        """The next bytes of the body. PerfduckError where they are not what they should be."""

    def finish(self) -> None:
        """The body has ended; what was written is on the disk then."""

    def close(self) -> None:
        """Leave no file open, also of a body that did not end."""


def sink_of(content_type: str, folder: Path, name: str | None) -> Sink:
    """Where a body of a media type goes. `name`: of the file, where the request has one."""
    kind, options = parse_options_header(content_type)
    if kind == b"multipart/form-data":
        if b"boundary" not in options:
            raise PerfduckError.at(where="Content-Type", expected="a boundary", got="none")
        return MultipartSink(folder, options[b"boundary"])
    return FileSink(folder, RECORDING if name is None else safe_name(name))


class FileSink:
    """A body that is one file."""

    def __init__(self, folder: Path, file: str) -> None:
        self.file = file
        self.parts: list[str] = []
        self._open: BinaryIO = (folder / file).open("xb")

    def write(self, data: bytes) -> None:
        """Append to the file."""
        self._open.write(data)

    def finish(self) -> None:
        """Nobody needs to guess whether the disk has it."""
        _settle(self._open)

    def close(self) -> None:
        """Close the file."""
        self._open.close()


class MultipartSink:
    """A body of several files."""

    def __init__(self, folder: Path, boundary: bytes) -> None:
        self.file = ""
        self.parts: list[str] = []
        self._folder = folder
        self._header: list[bytes] = [b"", b""]
        self._headers: dict[bytes, bytes] = {}
        self._open: BinaryIO | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._add(0, data[start:end]),
                "on_header_value": lambda data, start, end: self._add(1, data[start:end]),
                "on_header_end": self._end_header,
                "on_headers_finished": self._open_part,
                "on_part_data": self._write,
                "on_part_end": self._end_part,
            },
        )

    def write(self, data: bytes) -> None:
        """Append to the files."""
        try:
            self._parser.write(data)
        except MultipartParseError as error:
            raise PerfduckError.at(where="body", expected="multipart", got=str(error)) from error

    def finish(self) -> None:
        """PerfduckError where the body was cut off or has no recording."""
        if self._open is not None:
            raise PerfduckError.at(where="body", expected="whole multipart", got="a part of it")
        if not self.file:
            raise PerfduckError.at(where="body", expected=f"a part {RECORDING}", got="none")

    def close(self) -> None:
        """Close the file of a part that was cut off."""
        if self._open is not None:
            self._open.close()

    def _begin(self) -> None:
        self._headers = {}

    def _add(self, place: int, data: bytes) -> None:
        self._header[place] += data

    def _end_header(self) -> None:
        self._headers[self._header[0].lower()] = self._header[1]
        self._header = [b"", b""]

    def _open_part(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name == RECORDING and not self.file:
            file = options.get(b"filename", b"").decode("utf-8", "replace")
            path = self.file = safe_name(file) if file else RECORDING
        elif _is_part(name) and name not in self.parts and len(self.parts) < _MOST_PARTS:
            self.parts.append(name)
            path = name
        else:
            raise PerfduckError.at(where="body", expected=f"parts {_PARTS}, each once", got=name)
        self._open = (self._folder / path).open("xb")

    def _write(self, data: bytes, start: int, end: int) -> None:
        if self._open:
            self._open.write(data[start:end])

    def _end_part(self) -> None:
        if self._open:
            _settle(self._open)
            self._open = None


def _is_part(name: str) -> bool:
    return (
        name in (KALLSYMS, WORK) or re.fullmatch(r"attach\.[a-z][a-z0-9_-]{0,60}", name) is not None
    )


def safe_name(name: str) -> str:
    """The last part of a path as a file name that hides nothing and means no option."""
    last = re.split(r"[/\\]", name)[-1]
    plain = "".join(each if each.isprintable() else "_" for each in last).strip().lstrip(".-")
    cut = plain.encode()[-_LONGEST_NAME:].decode(errors="ignore") or RECORDING
    return f"_{cut}" if cut in _RESERVED or cut.startswith(_OF_SERVER) else cut


async def receive(
    chunks: AsyncIterator[bytes], length: int | None, sink: Sink, folder: Path, most: int
) -> None:
    """Write a body to its sink. UploadRefused where it is larger than `most` bytes, or the disk has
    no room; `length`: as the request says."""
    try:
        with closing(sink):
            _check_size(length or 0, most)
            _check_room(folder, length or 0)
            await _receive(chunks, sink, folder, most)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise _full() from error


async def _receive(chunks: AsyncIterator[bytes], sink: Sink, folder: Path, most: int) -> None:
    received, waiting = 0, bytearray()
    async for chunk in chunks:
        received += len(chunk)
        _check_size(received, most)
        waiting += chunk
        if len(waiting) >= _WRITTEN_BYTES:
            await anyio.to_thread.run_sync(_written, sink, bytes(waiting), folder)
            waiting.clear()
    await anyio.to_thread.run_sync(_written, sink, bytes(waiting), folder)
    await anyio.to_thread.run_sync(sink.finish)


async def drain(request: Request) -> None:
    """Take some of the rest of a body that is refused: who still sends when the connection is
    closed does not get the answer. Who asked first (Expect: 100-continue) sends nothing."""
    if "expect" in request.headers:
        return
    drained = 0
    # RuntimeError: the body was read to its end.
    with suppress(ClientDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(_DRAINED_S):
            async for chunk in request.stream():
                drained += len(chunk)
                if drained > _DRAINED_BYTES:
                    return


def _written(sink: Sink, data: bytes, folder: Path) -> None:
    _check_room(folder, len(data))
    sink.write(data)


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise UploadRefused(413, f"expected at most {most:,} bytes (--max-upload), got more")


def _check_room(folder: Path, size: int) -> None:
    if shutil.disk_usage(folder).free < size + _KEPT_FREE_BYTES:
        raise _full()


def _full() -> UploadRefused:
    return UploadRefused(
        507, "expected room on the server's disk, got a full one: push again later"
    )


def _settle(file: BinaryIO) -> None:
    sync_file(file)
    file.close()
