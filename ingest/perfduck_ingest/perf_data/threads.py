"""A directory of `perf record --threads`: a file of each thread that wrote, beside one for all.

    thr.data/data      as perf.data: header, attributes, what ran before, features
    thr.data/data.0    records alone, of the buffers of thread 0, nearly in the order of time

Nothing marks rounds (session.py): perf's thread writes what its buffers have, one after the other.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import xxhash

from perfduck_ingest.perf_data.features import PerfRecording
from perfduck_ingest.perf_data.ready_samples import cut
from perfduck_ingest.perf_data.session import Item, PerfSession
from perfduck_ingest.perf_data.stream import Block, Stream
from perfduck_ingest.source import ReadProgress, Source
from perfduck_model.limits import limits

MAIN = "data"
_PART = re.compile(r"data\.\d+")


def parts_of(directory: Path) -> list[Path]:
    """What each thread wrote, by its number; empty where it is no such directory."""
    parts = [path for path in directory.iterdir() if _PART.fullmatch(path.name) and path.is_file()]
    return sorted(parts, key=lambda path: int(path.name.removeprefix("data.")))


class ThreadsReader:
    """Reads all files of a directory, and hashes each."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._files = [source.path / MAIN, *parts_of(source.path)]
        self._digests = [xxhash.xxh3_128() for _ in self._files]
        self._block_bytes = max(limits.block_bytes // len(self._files), limits.least_block_bytes)

    def ready(self, recording: PerfRecording, start: int, size: int) -> Iterator[Item]:
        """All samples; the records of `data` begin at `start` and are `size` bytes (0: to its
        end)."""
        session = PerfSession(recording)
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
