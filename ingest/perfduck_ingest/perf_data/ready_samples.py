"""The samples of the records of a file, a pipe or a copy.

Knows no polars, as session.py.
"""

from collections.abc import Iterator
from typing import BinaryIO

from perfduck_ingest.perf_data.features import PerfRecording
from perfduck_ingest.perf_data.session import Item, PerfSession
from perfduck_ingest.perf_data.stream import Stream
from perfduck_ingest.source import ReadProgress, Source
from perfduck_model.limits import limits


def ready_of_file(
    name: str, recording: PerfRecording, start: int, size: int
) -> Iterator[tuple[Item, ReadProgress]]:
    """The samples of a file whose records begin at `start`, and how far it had been read."""
    with Source(name) as source:
        for item in ready_of_source(source, recording, start, size):
            yield item, source.reading


def ready_of_source(
    source: Source, recording: PerfRecording, start: int, size: int
) -> Iterator[Item]:
    """The samples of the records that begin at `start` and end `size` bytes behind (0: at the end
    of the source)."""
    session = PerfSession(recording)
    stream = Stream(source.name, recording.order, session.learn_tracing_data)
    parts = source.parts(limits.block_bytes, stream.ends(start))
    return session.ready(stream.blocks(cut(parts, start, size)))


def ready_of_copy(
    name: str, copy: BinaryIO, recording: PerfRecording, start: int, size: int
) -> Iterator[Item]:
    """The same of a file that the source has been copied to."""
    copy.seek(0)
    parts = (memoryview(part) for part in iter(lambda: copy.read(limits.block_bytes), b""))
    session = PerfSession(recording)
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
