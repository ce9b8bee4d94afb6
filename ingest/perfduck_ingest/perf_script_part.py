"""A part of `perf script` text, as columns.

Lines become numbers of distinct lines (pyarrow), distinct lines become rows of small tables
(perf_script_lines.py), and samples are gathered from both (numpy).
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from perfduck_ingest.chains import KnownStacks, KnownSymbols, Numbers, SymbolRow, stacks
from perfduck_ingest.events import unit_of
from perfduck_ingest.perf_script_grammar import Layout
from perfduck_ingest.perf_script_header import lost
from perfduck_ingest.perf_script_lines import (
    BLANK,
    CGROUP,
    EVENT,
    FRAME,
    LOST,
    UNKNOWN,
    UNKNOWN_NAME,
    Lines,
    classified,
)
from perfduck_store.batch import LEAF_OFFSET, SAMPLE, SKIPPED, Batch, Event, Facts

Codes = npt.NDArray[np.intp]  # per line of the part: the number of its distinct text
Kinds = npt.NDArray[np.uint8]  # per line of the part

_LINE_END = ord("\n")
_NO_CHAIN: SymbolRow = (UNKNOWN_NAME, UNKNOWN_NAME, None)


@dataclass(frozen=True, slots=True)
class Part:
    """Whole lines of text; `event` is the name for samples that print none."""

    text: bytes
    layout: Layout
    event: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """A part's batch, its number of lines, and whether its last line was cut off."""

    batch: Batch
    lines: int
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What earlier parts have named already."""

    symbols: KnownSymbols = field(default_factory=KnownSymbols)
    stacks: KnownStacks = field(default_factory=KnownStacks)


@dataclass(frozen=True, slots=True)
class _Frames:
    """The chain entries of a part: the line each stands on, and the sample it belongs to."""

    lines: Numbers
    samples: Numbers


def parse(part: Part, known: Known) -> Parsed:
    """The samples, stacks and symbols of a part."""
    codes, texts = _distinct_lines(part.text)
    lines = classified(texts, part.layout)
    kinds = lines.kinds[codes]
    starts = _starts(kinds, part.layout)
    frames = _frames(lines, codes, kinds, starts)
    rows = [*lines.symbols, _NO_CHAIN]
    numbers = _with_own_dso(lines, codes, frames, rows)
    numbers, lengths = _filled(numbers, frames, len(starts), len(lines.symbols))
    symbol_ids, symbols = known.symbols.ids(numbers, rows)
    stack_ids, chains = stacks(symbol_ids, lengths, known.stacks)
    samples = _samples(part, lines, codes, kinds, starts, stack_ids)
    leaves = symbol_ids[np.cumsum(lengths) - lengths]
    return Parsed(
        Batch(
            samples=samples,
            symbols=symbols,
            stacks=chains,
            leaf_offsets=_leaf_offsets(lines, codes, frames, leaves, samples),
            skipped=_skipped(lines, codes, kinds, starts),
            facts=_facts(lines, codes, kinds, samples),
        ),
        len(codes),
        _is_cut(part, lines, codes),
    )


def _distinct_lines(text: bytes) -> tuple[Codes, pl.Series]:
    """The number of each line's text, and the texts."""
    if not text.endswith(b"\n"):
        text += b"\n"
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == _LINE_END)
    offsets = np.zeros(len(ends) + 1, np.int32)
    np.add(ends, 1, out=offsets[1:], casting="unsafe")
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    encoded = pa.Array.from_buffers(pa.binary(), len(ends), buffers).dictionary_encode()
    texts = _decoded(encoded.dictionary).str.strip_chars_end("\r\n")
    return encoded.indices.to_numpy().astype(np.intp), texts


def _decoded(texts: pa.Array) -> pl.Series:
    try:
        return pl.Series(texts.cast(pa.string()))
    except pa.ArrowInvalid:  # not UTF-8: a comm is any 15 bytes
        decoded = [text.decode("utf-8", "backslashreplace") for text in texts.to_pylist()]
        return pl.Series(decoded, dtype=pl.String)


def _starts(kinds: Kinds, layout: Layout) -> Numbers:
    """The line that each sample starts on."""
    if layout.has_event_lines:
        return np.flatnonzero(kinds == EVENT)
    is_frame = kinds == FRAME
    after_blank = np.concatenate(([True], kinds[:-1] == BLANK))
    return np.flatnonzero(is_frame & after_blank if layout.chains else is_frame)


def _frames(lines: Lines, codes: Codes, kinds: Kinds, starts: Numbers) -> _Frames:
    """The chain entries. Where a chain follows, the address on the event line is no frame if the
    event has addresses of its own."""
    at = np.flatnonzero((lines.symbol_of >= 0)[codes])
    samples = _samples_of_lines(starts, len(codes))[at]
    has_chain = np.zeros(len(starts) + 1, bool)
    has_chain[samples[kinds[at] == FRAME]] = True
    is_data = (kinds[at] == EVENT) & has_chain[samples] & lines.is_addressed[codes[at]]
    keep = (samples >= 0) & ~is_data
    return _Frames(at[keep], samples[keep])


def _samples_of_lines(starts: Numbers, lines: int) -> Numbers:
    """The number of the sample that each line belongs to; -1 before the first."""
    bounds = np.concatenate(([0], starts, [lines]))
    return np.repeat(np.arange(-1, len(starts)), np.diff(bounds))


def _with_own_dso(lines: Lines, codes: Codes, frames: _Frames, rows: list[SymbolRow]) -> Numbers:
    """The number of each frame's symbol. An inlined function is in the binary of the function that
    it was inlined into; where there are such, rows are added."""
    code = codes[frames.lines]
    numbers = lines.symbol_of[code]
    inlined = lines.lacks_dso[code]
    if not inlined.any():
        return numbers
    owner = _owners(inlined, lines.ips[code], frames.samples)
    pairs = np.stack([numbers[inlined], numbers[owner[inlined]]])
    distinct, which = np.unique(pairs, axis=1, return_inverse=True)
    rows += [(rows[name][0], rows[own][1], None) for name, own in distinct.T.tolist()]
    numbers[inlined] = len(rows) - distinct.shape[1] + which.ravel()
    return numbers


def _owners(inlined: npt.NDArray[np.bool_], ips: Numbers, samples: Numbers) -> Numbers:
    """The place of the frame that each frame was inlined into: behind it in the chain; perf 7 has
    it before, at the same address. The frame itself where there is none."""
    places = np.arange(len(inlined))
    before = np.maximum.accumulate(np.where(inlined, 0, places))
    behind = np.minimum.accumulate(np.where(inlined, places[-1], places)[::-1])[::-1]
    owner = np.where(ips[before] == ips, before, behind)
    return np.where(samples[owner] == samples, owner, places)


def _filled(
    numbers: Numbers, frames: _Frames, samples: int, no_chain: int
) -> tuple[Numbers, Numbers]:
    """The symbols and the lengths of all chains; a sample without one gets an unknown frame."""
    lengths = np.bincount(frames.samples, minlength=samples)
    empty = np.flatnonzero(lengths == 0)
    if len(empty):
        numbers = np.insert(numbers, (np.cumsum(lengths) - lengths)[empty], no_chain)
        lengths[empty] = 1
    return numbers, lengths


def _samples(
    part: Part, lines: Lines, codes: Codes, kinds: Kinds, starts: Numbers, stack_ids: Numbers
) -> pl.DataFrame:
    if part.layout.has_event_lines:
        rows = lines.events[lines.event_row[codes[starts]]]
    else:
        rows = lines.events.clear(len(starts))
    return rows.with_columns(
        pl.Series("stack_id", stack_ids),
        pl.col("event").fill_null(part.event),
        pl.coalesce(_cgroups(lines, codes, kinds, starts), "cgroup").alias("cgroup"),
        pl.lit(1, pl.Int64).alias("count"),
    ).select(list(SAMPLE))


def _cgroups(lines: Lines, codes: Codes, kinds: Kinds, starts: Numbers) -> pl.Series:
    """Behind a chain the cgroup has a line of its own."""
    at = np.flatnonzero(kinds == CGROUP)
    if not len(at):
        return pl.repeat(None, len(starts), dtype=pl.String, eager=True)
    code = np.full(len(starts), -1)
    code[np.searchsorted(starts, at, side="right") - 1] = codes[at]
    place = pl.Series(code).replace(-1, None)
    return lines.texts.gather(place).str.strip_chars()


def _leaf_offsets(
    lines: Lines, codes: Codes, frames: _Frames, leaves: Numbers, samples: pl.DataFrame
) -> pl.DataFrame:
    first = np.flatnonzero(np.diff(frames.samples, prepend=-1))
    owners = frames.samples[first]
    hits = samples[owners].select(
        "event",
        "count",
        pl.Series("symbol_id", leaves[owners]),
        pl.Series("offset", lines.offsets[codes[frames.lines[first]]]),
        pl.coalesce("period", "count").cast(pl.Float64).alias("weight"),
    )
    return (
        hits.filter(pl.col("offset") >= 0)
        .group_by("event", "symbol_id", "offset")
        .agg(pl.sum("count"), pl.sum("weight"))
        .select(list(LEAF_OFFSET))
    )


def _skipped(lines: Lines, codes: Codes, kinds: Kinds, starts: Numbers) -> pl.DataFrame:
    """Lines of no known kind, and chain entries before any event line; numbered from the start of
    the part. A line behind an event line with argument text goes on with that text."""
    unknown = np.flatnonzero(kinds == UNKNOWN)
    before = np.maximum(unknown - 1, 0)
    goes_on = lines.has_text[codes[before]] & (kinds[before] == EVENT)
    unknown = unknown[~goes_on]
    first = starts[0] if len(starts) else len(codes)
    homeless = np.flatnonzero(kinds[:first] == FRAME)
    at = np.concatenate([unknown, homeless])
    reasons = ["no known line"] * len(unknown) + ["no event line before it"] * len(homeless)
    return pl.DataFrame(
        {"line": at + 1, "text": lines.texts.gather(codes[at]), "reason": reasons},
        schema=SKIPPED,
    )


def _facts(lines: Lines, codes: Codes, kinds: Kinds, samples: pl.DataFrame) -> Facts:
    records = lines.texts.gather(codes[kinds == LOST])
    events = samples["event"].unique().to_list()
    return Facts(lost=lost(records), events={event: Event(unit_of(event)) for event in events})


def _is_cut(part: Part, lines: Lines, codes: Codes) -> bool:
    """Whether the text ends within a line: no line end, and no whole line either."""
    if part.text.endswith(b"\n") or not len(codes):
        return False
    code = int(codes[-1])
    lacks_dso = lines.lacks_dso[code] and not part.text.endswith(b"(inlined)")
    return bool(lines.kinds[code] == UNKNOWN or lacks_dso)
