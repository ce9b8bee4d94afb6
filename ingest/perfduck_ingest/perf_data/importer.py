"""A recording of perf record: perf.data, as a file or as it comes through a pipe.

    PERFILE2 | header | attributes | records ... | features      perf record -o perf.data
    PERFILE2 | records ...                                       perf record -o - | ...
    DIR/data, DIR/data.0, ...                                    perf record --threads

Samples are never objects: the records are walked once for where they begin, their fields are
gathered as columns (samples.py), addresses, parts of chains and chains are worked out once each
(resolver.py, chain_chunks.py). Copied user stacks become chains before that (unwinding.py).

Not done: processor traces are skipped, and counted.
"""

import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from perfduck_ingest.importer import ImportOptions, Recording
from perfduck_ingest.perf_data import header
from perfduck_ingest.perf_data.features import PerfRecording
from perfduck_ingest.perf_data.ready_samples import (
    MAIN,
    ThreadsReader,
    parts_of,
    ready_of_copy,
    ready_of_file,
    ready_of_source,
)
from perfduck_ingest.perf_data.records import ByteOrder
from perfduck_ingest.perf_data.resolvable_samples import Item
from perfduck_ingest.perf_data.samples import SampleTooShort
from perfduck_ingest.perf_data.symbol_places import SymbolPlaces
from perfduck_ingest.runtime.prefetch import prefetch
from perfduck_ingest.runtime.subprocess_iter import subprocess_iter
from perfduck_ingest.source import Source
from perfduck_model.errors import PerfduckError, room_on_disk
from perfduck_model.limits import limits

if TYPE_CHECKING:  # the process that reads needs neither, nor polars
    from perfduck_model.batch import Batch

NAME = "perf-data"


def open(source: Source) -> Recording | None:
    """The recording, if its head is that of perf.data."""
    if source.is_directory:
        order = _order_of_threads(source.path)
        return None if order is None else _recording(partial(_read_threads, source, order))
    order = header.byte_order(source.head)
    return None if order is None else _recording(partial(_read, source, order))


def _recording(read: Callable[[ImportOptions], Iterator["Batch"]]) -> Recording:
    return Recording(NAME, read, takes_inline=True)


def _order_of_threads(directory: Path) -> ByteOrder | None:
    """Of a directory of perf record --threads; None where it is none."""
    main = directory / MAIN
    if not (main.is_file() and parts_of(directory)):
        return None
    with main.open("rb") as file:
        return header.byte_order(file.read(8))


def _read_threads(source: Source, order: ByteOrder, options: ImportOptions) -> Iterator["Batch"]:
    """The samples of all threads."""
    main = source.path / MAIN
    with _saying_where(source), main.open("rb") as file:
        recording, start, size = header.read_header(file, order)
        recording.written_at = main.stat().st_mtime
        items = ThreadsReader(source).ready(recording, _places(options), start, size)
        yield from _batches(items, recording, options)


def _read(source: Source, order: ByteOrder, options: ImportOptions) -> Iterator["Batch"]:
    """The samples, some megabytes of records at a time, then what the recording says of itself."""
    with _saying_where(source):
        if header.is_pipe(source.head, order):
            recording = PerfRecording(order, written_at=_written_at(source))
            items = ready_of_source(source, recording, _places(options), header.PIPE_HEADER_SIZE, 0)
            yield from _batches(items, recording, options)
        else:
            yield from _read_file(source, order, options)


@contextmanager
def _saying_where(source: Source) -> Iterator[None]:
    try:
        yield
    except (struct.error, SampleTooShort) as error:
        raise PerfduckError.at(
            source.name, expected="a whole perf.data file", got=f"a broken one: {error}"
        ) from error


def _read_file(source: Source, order: ByteOrder, options: ImportOptions) -> Iterator["Batch"]:
    """The features lie behind the data, but are needed before: what cannot be read from there is
    laid down in a temporary file first."""
    if _is_plain(source):
        with source.path.open("rb") as file:
            recording, start, size = header.read_header(file, order)
            recording.written_at = _written_at(source)
        read = _read_elsewhere if size >= limits.subprocess_bytes else ready_of_source
        items = read(source, recording, _places(options), start, size)
        yield from _batches(items, recording, options)
        return
    with tempfile.TemporaryFile() as file:
        with room_on_disk(Path(tempfile.gettempdir())):
            for chunk in source.chunks(limits.block_bytes):
                file.write(chunk)
            file.flush()
        recording, start, size = header.read_header(file, order)
        recording.written_at = _written_at(source)
        copy = cast(BinaryIO, file)
        items = ready_of_copy(source.name, copy, recording, _places(options), start, size)
        yield from _batches(items, recording, options)


def _places(options: ImportOptions) -> SymbolPlaces:
    return SymbolPlaces(options.symbol_dirs, options.host_files)


def _written_at(source: Source) -> float | None:
    """When the recording was finished; None where it still comes, as through a pipe."""
    return source.path.stat().st_mtime if source.size is not None else None


def _is_plain(source: Source) -> bool:
    """Whether the source is a file, and not a packed one."""
    if not source.path.is_file():
        return False
    with source.path.open("rb") as file:
        return file.read(16) == source.head[:16]


def _read_elsewhere(
    source: Source, recording: PerfRecording, places: SymbolPlaces, start: int, size: int
) -> Iterator[Item]:
    name = str(source.path)
    for item, reading in subprocess_iter(ready_of_file, name, recording, places, start, size):
        source.follow(reading)
        yield item


def _batches(
    items: Iterator[Item], recording: PerfRecording, options: ImportOptions
) -> Iterator["Batch"]:
    """Three things at once: records are read, their samples resolved, and batches consumed."""
    from perfduck_ingest.perf_data.resolver import SampleResolver

    # The first samples take the longest to resolve: with one item ahead the reader waits for that.
    return prefetch(SampleResolver(recording, options).batches(prefetch(items, 2)))
