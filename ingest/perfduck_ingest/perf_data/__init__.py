"""A recording of perf record: perf.data, as a file or as it comes through a pipe.

    PERFILE2 | header | attributes | records ... | features      perf record -o perf.data
    PERFILE2 | records ...                                       perf record -o - | ...

Samples are never objects: the records are walked once for where they begin, their fields are
gathered as columns (samples.py), addresses, parts of chains and chains are worked out once each
(frames.py, pieces.py, stacks.py).

Not done: the copied user stacks of `--call-graph dwarf` are not unwound (chains are the kernel's
part, or the one function that was hit); branch stacks and processor traces are passed over;
`perf record --threads` directories are not read.
"""

import struct
import tempfile
from collections.abc import Iterator
from typing import BinaryIO, cast

from perfduck_ingest.ahead import ahead
from perfduck_ingest.importer import Options
from perfduck_ingest.perf_data import header
from perfduck_ingest.perf_data.byte_order import ByteOrder
from perfduck_ingest.perf_data.features import Recording
from perfduck_ingest.perf_data.samples import SampleTooShort
from perfduck_ingest.perf_data.session import Session
from perfduck_ingest.perf_data.stream import BLOCK_BYTES, Stream
from perfduck_ingest.source import Source
from perfduck_store.batch import Batch
from perfduck_store.errors import PerfduckError

NAME = "perf-data"


def sniff(source: Source) -> bool:
    """Whether the head is that of perf.data."""
    return header.byte_order(source.head) is not None


def read(source: Source, options: Options) -> Iterator[Batch]:
    """The samples, some megabytes of records at a time, then what the recording says of itself."""
    order = header.byte_order(source.head)
    assert order is not None, "read() follows sniff()"
    try:
        if header.is_pipe(source.head, order):
            parts = _cut(source.parts(BLOCK_BYTES, len), header.PIPE_HEADER_SIZE, 0)
            yield from _batches(source, parts, Recording(order), options)
        else:
            yield from _read_file(source, order, options)
    except (struct.error, SampleTooShort) as error:
        message = f"{source.name}: expected a whole perf.data file, got a broken one: {error}"
        raise PerfduckError(message) from error


def _read_file(source: Source, order: ByteOrder, options: Options) -> Iterator[Batch]:
    """The features lie behind the data, but are needed before: what cannot be read from there is
    laid down in a temporary file first."""
    with _seekable(source) as file:
        recording, data_at, data_size = header.read_header(file, order)
        file.seek(0)
        is_source = file.name == source.name
        chunks = source.parts(BLOCK_BYTES, len) if is_source else _chunks(file)
        yield from _batches(source, _cut(chunks, data_at, data_size), recording, options)


def _seekable(source: Source) -> BinaryIO:
    if _is_plain(source):
        return source.path.open("rb")
    spool = tempfile.TemporaryFile()  # noqa: SIM115  # the caller closes it
    for chunk in source.chunks(BLOCK_BYTES):
        spool.write(chunk)
    return cast(BinaryIO, spool)


def _is_plain(source: Source) -> bool:
    """Whether the source is a file, and not a packed one."""
    if not source.path.is_file():
        return False
    with source.path.open("rb") as file:
        return file.read(16) == source.head[:16]


def _chunks(file: BinaryIO) -> Iterator[memoryview]:
    while chunk := file.read(BLOCK_BYTES):
        yield memoryview(chunk)


def _cut(chunks: Iterator[memoryview], start: int, size: int) -> Iterator[memoryview]:
    """The bytes from `start` on, `size` of them (0: all); reads the chunks to their end."""
    at = 0
    for chunk in chunks:
        first = max(start - at, 0)
        last = max(start + size - at, 0) if size else len(chunk)
        at += len(chunk)
        if chunk[first:last]:
            yield chunk if first == 0 and last >= len(chunk) else chunk[first:last]


def _batches(
    source: Source, parts: Iterator[memoryview], recording: Recording, options: Options
) -> Iterator[Batch]:
    """Three things at once: blocks are read, their samples resolved, and made into batches."""
    session = Session(recording, options)
    blocks = Stream(source.name, recording.order).blocks(parts)
    for resolved in ahead(session.resolved(ahead(session.ready(blocks)))):
        yield session.outcome.batch(resolved)
    yield session.outcome.last()
