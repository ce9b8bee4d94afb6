"""The samples of the records of a file, a pipe or a copy, and of a directory of `perf record
--threads`: a file of each thread that wrote, beside one for all.

    thr.data/data      as perf.data: header, attributes, what ran before, features
    thr.data/data.0    records alone, of the buffers of thread 0, nearly in the order of time

Nothing marks rounds there (session.py): perf's thread writes what its buffers have, one after the
other. Knows no polars, as session.py.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import xxhash

from perfduck_ingest.perf_data.features import PerfRecording
from perfduck_ingest.perf_data.resolvable_samples import Item
from perfduck_ingest.perf_data.session import PerfSession
from perfduck_ingest.perf_data.stream import Block, Stream
from perfduck_ingest.perf_data.symbol_places import SymbolPlaces
from perfduck_ingest.source import ReadProgress, Source
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits
from perfduck_model.special_files import what_is


def ready_of_file(
    name: str, recording: PerfRecording, places: SymbolPlaces, start: int, size: int
) -> Iterator[tuple[Item, ReadProgress]]:
    """The samples of a file whose records begin at `start`, and how far it had been read."""
    with Source(name) as source:
        for item in ready_of_source(source, recording, places, start, size):
            yield item, source.reading


def ready_of_source(
    source: Source, recording: PerfRecording, places: SymbolPlaces, start: int, size: int
) -> Iterator[Item]:
    """The samples of the records that begin at `start` and end `size` bytes behind (0: at the end
    of the source)."""
    session = PerfSession(recording, places)
    stream = Stream(source.name, recording.order, session.learn_tracing_data)
    parts = source.parts(limits.block_bytes, stream.ends(start))
    return session.ready(stream.blocks(cut(parts, start, size)))


def ready_of_copy(
    name: str,
    copy: BinaryIO,
    recording: PerfRecording,
    places: SymbolPlaces,
    start: int,
    size: int,
) -> Iterator[Item]:
    """The same of a file that the source has been copied to."""
    copy.seek(0)
    parts = (memoryview(part) for part in iter(lambda: copy.read(limits.block_bytes), b""))
    session = PerfSession(recording, places)
    stream = Stream(name, recording.order, session.learn_tracing_data)
    return session.ready(stream.blocks(cut(parts, start, size)))


def cut(chunks: Iterator[memoryview], start: int, size: int) -> Iterator[memoryview]:
    """The bytes from `start` on, `size` of them (0: all); reads the chunks to their end."""
    at = 0
    for chunk in chunks:
        first = max(start - at, 0)
        last = max(start + size - at, 0) if size else len(chunk)
        at += len(chunk)
        if chunk[first:last]:
            yield chunk if first == 0 and last >= len(chunk) else chunk[first:last]


MAIN = "data"
_PART = re.compile(r"data\.\d+")


def parts_of(directory: Path) -> list[Path]:
    """What each thread wrote, by its number; empty where it is no such directory. PerfduckError
    where one is no file: to open a FIFO waits."""
    parts = [path for path in directory.iterdir() if _PART.fullmatch(path.name)]
    if (odd := next((path for path in parts if not path.is_file()), None)) is not None:
        raise PerfduckError.at(odd, expected="what a thread of perf wrote", got=what_is(odd))
    return sorted(parts, key=lambda path: int(path.name.removeprefix("data.")))


class ThreadsReader:
    """Reads all files of a directory, and hashes each."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._files = [source.path / MAIN, *parts_of(source.path)]
        self._digests = [xxhash.xxh3_128() for _ in self._files]
        self._block_bytes = max(limits.block_bytes // len(self._files), limits.least_block_bytes)

    def ready(
        self, recording: PerfRecording, places: SymbolPlaces, start: int, size: int
    ) -> Iterator[Item]:
        """All samples; the records of `data` begin at `start` and are `size` bytes (0: to its
        end)."""
        session = PerfSession(recording, places)
        with ExitStack() as opened:
            files = [opened.enter_context(path.open("rb")) for path in self._files]
            ranges = [(start, size), *((0, 0) for _ in files[1:])]
            streams = [
                self._blocks(session, recording, number, cut(self._parts(number, file), *where))
                for number, (file, where) in enumerate(zip(files, ranges, strict=True))
            ]
            yield from session.ready_of_several(streams)
            self._source.follow(self._reading())

    def _blocks(
        self,
        session: PerfSession,
        recording: PerfRecording,
        number: int,
        parts: Iterator[memoryview],
    ) -> Iterator[Block]:
        name = f"{self._source.name}/{self._files[number].name}"
        return Stream(name, recording.order, session.learn_tracing_data).blocks(parts)

    def _parts(self, number: int, file: BinaryIO) -> Iterator[memoryview]:
        while part := file.read(self._block_bytes):
            self._digests[number].update(part)
            self._source.bytes_read += len(part)
            yield memoryview(part)

    def _reading(self) -> ReadProgress:
        """The hash is of the hashes of the files, in their order."""
        digest = xxhash.xxh3_128()
        for each in self._digests:
            digest.update(each.digest())
        done = self._source.bytes_read
        return ReadProgress(done, done, digest.hexdigest())
