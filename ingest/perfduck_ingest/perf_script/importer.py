"""The output of `perf script`.

    iperf3 10400 [001]  7436.648749:    1001001 cpu-clock:
    \tffffffff821f2fa7 exc_page_fault+0xd7 ([kernel.kallsyms])
    \tffffffff81000c82 asm_exc_page_fault+0x22 ([kernel.kallsyms])
    \t           220d0 has_tcpinfo_retransmits+0x0 (/usr/lib/x86_64-linux-gnu/libiperf.so.0.0.0)

Call chain entries repeat: of the 13 million lines of a recording of 160 s, 185,000 are distinct. So
each distinct one is parsed once for the whole recording, and all the rest is arithmetic over line
numbers.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

import numpy as np
import polars as pl
from msgspec.structs import replace

from perfduck_ingest.importer import ImportOptions, Recording
from perfduck_ingest.network_namespaces import UNKNOWN, NetworkNamespaces
from perfduck_ingest.perf_script import grammar, header
from perfduck_ingest.perf_script.chunk import TRACE_NOT_DECODED, Chunk, Parsed, parsed
from perfduck_ingest.perf_script.end import CUT_CHAIN, CUT_LINE
from perfduck_ingest.perf_script.evidence import is_of_perf
from perfduck_ingest.perf_script.layout import LineLayout, layout_of
from perfduck_ingest.perf_script.line_cache import LineCache
from perfduck_ingest.perf_script.text import LineTooLong, Text
from perfduck_ingest.runtime.prefetch import prefetch, prefetch_map
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits

NAME = "perf-script"
_LINES_TO_MEASURE = 3000
_LINES_OF_A_SAMPLE = 300  # a chain has 127 frames, inlined functions come on top
# Of all lines, and of samples. A file of another kind that happens to look like samples here and
# there is refused; a short one with a strange line is not.
_MOST_SKIPPED = 0.01
_MOST_SKIPPED_PER_SAMPLE = 0.2
_NOT_FOREIGN = (TRACE_NOT_DECODED, CUT_LINE, CUT_CHAIN)


def open(source: Source) -> Recording | None:
    """The text, if its head has event lines or call chains."""
    if source.is_directory or b"\0" in source.head:
        return None
    head = _head_lines(source)
    layout = _layout(head)
    return Recording(NAME, partial(_read, source, head, layout)) if layout else None


def _read(
    source: Source, head: list[str], layout: LineLayout, options: ImportOptions
) -> Iterator[Batch]:
    """The samples, part by part, a few parts ahead; symbols and stacks where they come up first."""
    said = header.facts(line for line in head if line.startswith("# "))
    # With one event recorded, the samples that print none are of that event.
    event = next(iter(said.events)) if len(said.events) == 1 else "unknown"
    namespaces = NetworkNamespaces()
    lines = skipped = samples = 0
    try:
        for part in _parsed_parts(source, head, layout, event):
            if part.cut is not None and not options.lenient:
                raise _cut_off(source, part.cut, lines + part.lines)
            yield _placed(_with_netns(part, namespaces), lines)
            lines += part.lines
            samples += len(part.batch.samples)
            skipped += part.batch.skipped.filter(~pl.col("reason").is_in(_NOT_FOREIGN)).height
    except LineTooLong as error:
        what = f"lines of at most {limits.longest_line >> 20} MB"
        raise PerfduckError.at(
            where=f"{source.name}:{lines + error.line + 1}", expected=what, got="a longer one"
        ) from error
    said = replace(said, layout=_described(head, layout))
    yield Batch(facts=said)  # last: the header knows an event's unit better than its name does
    is_foreign = skipped > max(_MOST_SKIPPED * lines, _MOST_SKIPPED_PER_SAMPLE * samples)
    if is_foreign and not options.lenient:
        message = (
            f"{source.name}:{lines}: expected perf script text, but {skipped} of {lines} lines "
            f"could not be parsed{' (--lenient keeps the rest)' * (skipped * 2 < lines)}"
        )
        raise PerfduckError(message)


def _parsed_parts(
    source: Source, head: list[str], layout: LineLayout, event: str
) -> Iterator[Parsed]:
    """The text, parsed in parts that end where a sample ends; raises LineTooLong."""
    cache = LineCache(head, layout)
    is_event = re.compile(layout.loose.pattern).search

    def last_start(text: memoryview) -> int:
        return _last_start(text, layout, is_event)

    def work(part: Chunk) -> list[Parsed]:
        return list(parsed(part, cache, last_start))

    parts = (
        Chunk(text, layout, event, is_last=source.is_at_end)
        for text in source.parts(limits.text_part_bytes, last_start)
    )
    # Reading has a thread of its own: what fills a pipe does not wait for what is done with it.
    for pieces in prefetch_map(work, prefetch(parts), limits.text_threads, limits.text_threads):
        yield from pieces


def _with_netns(part: Parsed, namespaces: NetworkNamespaces) -> Batch:
    """The part's batch; its samples have the network namespaces that were known by then."""
    samples = part.batch.samples
    if not (len(part.namespaces) or namespaces.are_known):
        return part.batch
    tid = samples["tid"].cast(pl.Int64).fill_null(-1).to_numpy()
    inodes = pl.Series(namespaces.advance(part.namespaces, tid, np.arange(len(tid))))
    netns = inodes.set(inodes == UNKNOWN, None).alias("netns")
    return replace(part.batch, samples=samples.with_columns(netns))


def _placed(batch: Batch, lines: int) -> Batch:
    """The batch, with the lines before it counted."""
    return replace(batch, skipped=batch.skipped.with_columns(pl.col("line") + lines))


def _head_lines(source: Source) -> list[str]:
    """The lines of the head; without the last where the head ends within it."""
    lines = source.head.decode("utf-8", "backslashreplace").splitlines()
    return lines if source.head.endswith(b"\n") else lines[:-1] or lines


def _layout(head: list[str]) -> LineLayout | None:
    short = (line for line in head if len(line) <= limits.longest_matched)
    lines = (line for line in short if not grammar.is_record(line))
    measured = list(islice(lines, _LINES_TO_MEASURE))
    layout = layout_of(measured)
    return layout if layout and (layout.time or is_of_perf(layout, measured)) else None


def _described(head: list[str], layout: LineLayout) -> str:
    is_event = re.compile(layout.loose.pattern).search
    short = (line for line in head if len(line) <= limits.longest_matched)
    return layout.described(next(filter(None, map(is_event, short)), None))


def _last_start(part: memoryview, layout: LineLayout, is_event: Callable[[str], object]) -> int:
    """Where the last sample of the text starts, which may go on in the next part; 0 where none
    does. The text may end within a line; raises LineTooLong."""
    text = bytes(part[-limits.longest_line :])
    before = len(part) - len(text)
    end = last = text.rfind(b"\n")
    if last < 0:
        if before:
            raise LineTooLong(bytes(part).count(b"\n"))
        return 0
    if not layout.has_event_lines:
        blank = text.rfind(b"\n\n")
        return before + (blank + 2 if blank >= 0 else last + 1)
    end = len(text[:last].rstrip(b"\r\n"))  # blank lines may be millions
    for _ in range(_LINES_OF_A_SAMPLE):
        start = text.rfind(b"\n", 0, end) + 1
        if start == 0 and before:  # a part of a line
            return before + last + 1
        line = text[start:end].decode("utf-8", "backslashreplace")
        is_short = len(line) <= limits.longest_matched
        if is_short and not line.startswith("\t") and is_event(line):
            return before + start
        if start == 0:
            return last + 1
        end = start - 1
    start_of_last = Text(memoryview(text)[: last + 1]).last_start(layout.loose.pattern)
    return before + (start_of_last or last + 1)


def _cut_off(source: Source, text: str, line: int) -> PerfduckError:
    message = f"{source.name}:{line}: expected a whole line, got {text!r} and the end of the file"
    return PerfduckError(message)
