"""A part of `perf script` text, as columns.

What each line is comes from line_cache.py; samples are gathered from that (numpy).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from msgspec import structs

from perfduck_ingest.chains import SymbolInterner, SymbolRow, stacks
from perfduck_ingest.importer import unit_of
from perfduck_ingest.limitations import NO_FRAMES, PERIOD, TEXTS, TIME
from perfduck_ingest.network_namespaces import NamespaceChanges
from perfduck_ingest.perf_script import grammar
from perfduck_ingest.perf_script.end import OPEN_CHAIN, end_of
from perfduck_ingest.perf_script.event_lines import BEYOND
from perfduck_ingest.perf_script.header import lost
from perfduck_ingest.perf_script.layout import LineLayout
from perfduck_ingest.perf_script.line_cache import (
    ASIDE,
    BLANK,
    CGROUP,
    EVENT,
    FRAME,
    LOST,
    NETNS,
    UNKNOWN,
    Columns,
    LineCache,
    Lines,
)
from perfduck_ingest.perf_script.text import Text
from perfduck_model.arrays import Bool, Int64, UInt8, UInt32
from perfduck_model.arrow import series
from perfduck_model.batch import SAMPLE, SKIPPED, Batch, Event, Facts, Limitation
from perfduck_model.limits import limits
from perfduck_symbols.names import UNKNOWN as UNKNOWN_NAME

LastStart = Callable[[memoryview], int]  # where the last sample of a text starts; 0: nowhere
_CHAIN = r"^ *\t"
_MOST_SKIPPED_LETTERS = 1000  # of a line that was not understood
_WITHIN_SAMPLE = (FRAME, ASIDE, CGROUP, NETNS, UNKNOWN)
TRACE_NOT_DECODED = "a part of the trace that perf could not decode"
_NO_CHANGES = NamespaceChanges.of([])
_NO_CHAIN: SymbolRow = (UNKNOWN_NAME, UNKNOWN_NAME, None)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines of text; `event` is the name for samples that print none."""

    text: memoryview
    layout: LineLayout
    event: str
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Parsed:
    """A part's batch, its number of lines, where threads changed their network namespaces, and its
    last line if that was cut off."""

    batch: Batch
    lines: int
    namespaces: NamespaceChanges = _NO_CHANGES
    cut: str | None = None


@dataclass(frozen=True, slots=True)
class _Frames:
    """The chain entries of all samples: the code of each, and how many of them each sample has."""

    codes: UInt32
    lengths: Int64

    @property
    def samples(self) -> Int64:
        """The sample of each frame."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)


def parsed(part: Chunk, known: LineCache, last_start: LastStart) -> Iterator[Parsed]:
    """The samples, stacks and symbols of a part; in pieces, cut where a sample starts, where it has
    more lines than are parsed at once."""
    text = Text(part.text, limits.most_lines_at_once)
    while text.size < len(part.text):
        start = last_start(part.text[: text.size]) or text.size
        piece = replace(part, text=part.text[:start], is_last=False)
        yield _parsed(piece, text if start == text.size else Text(piece.text), known)
        if blank := _line_ends(part.text[start:]):
            yield Parsed(Batch(), blank)
        part = replace(part, text=part.text[start + blank :])
        text = Text(part.text, limits.most_lines_at_once)
    yield _whole(part, known) if part.is_last else _parsed(part, text, known)


def _line_ends(text: memoryview) -> int:
    """How many lines at the beginning are empty, but for one: gigabytes of them are soon passed."""
    is_other = np.frombuffer(text, np.uint8) != ord("\n")
    first = int(is_other.argmax()) if is_other.any() else len(text)
    return max(first - 1, 0)


def _whole(part: Chunk, known: LineCache) -> Parsed:
    """The same of the last piece, as far as its lines are whole."""
    end = end_of(part.text, part.layout, known)
    whole = replace(part, text=end.text)
    sample = _parsed(whole, Text(whole.text), known) if end.text else Parsed(Batch(), 0)
    batch = structs.replace(sample.batch, skipped=pl.concat([sample.batch.skipped, end.skipped]))
    if end.is_open:
        limitations = {**batch.facts.limitations, "open-chain": OPEN_CHAIN}
        facts = structs.replace(batch.facts, limitations=limitations)
        batch = structs.replace(batch, facts=facts)
    return Parsed(batch, sample.lines + len(end.skipped), sample.namespaces, end.cut)


def _parsed(part: Chunk, text: Text, known: LineCache) -> Parsed:
    lines = known.lines(text, part.layout)
    kinds = lines.kinds
    starts = _starts(kinds, part.layout)
    is_unread = _are_unread(lines, starts)
    is_orphan = _are_orphans(kinds, starts, is_unread, part.layout)
    frames = _frames(lines, starts, is_orphan)
    symbol_ids = _with_own_dso(lines.frames, frames, known.symbols)
    symbol_ids, lengths = _filled(symbol_ids, frames.lengths, known.symbols)
    stack_ids, chains = stacks(symbol_ids, lengths, known.stacks)
    samples = _samples(part, text, lines, starts, stack_ids)
    samples, out = _without_large(samples)
    if count := int((frames.lengths == 0).sum()):
        out[NO_FRAMES] = Limitation(TEXTS[NO_FRAMES], count)
    leaves = symbol_ids[np.cumsum(lengths) - lengths]
    return Parsed(
        Batch(
            samples=samples,
            symbols=known.symbols.unreported(chains),
            stacks=chains,
            leaf_offsets=_leaf_offsets(lines.frames, frames, leaves, samples),
            skipped=_skipped(text, is_unread, is_orphan),
            facts=structs.replace(_facts(text, lines, samples, frames), limitations=out),
        ),
        len(text),
        _namespaces(text, lines.kinds, starts),
    )


def _starts(kinds: UInt8, layout: LineLayout) -> Int64:
    """The line that each sample starts on."""
    if layout.has_event_lines:
        return np.flatnonzero(kinds == EVENT)
    is_frame = kinds == FRAME
    after_blank = np.concatenate(([True], kinds[:-1] == BLANK))
    return np.flatnonzero(is_frame & after_blank if layout.chains else is_frame)


def _are_unread(lines: Lines, starts: Int64) -> Bool:
    """Which lines are of no known kind. The text of a tracepoint may hold line ends, in quotes."""
    is_unread: Bool = lines.kinds == UNKNOWN
    unread = np.flatnonzero(is_unread)
    if len(unread) and len(lines.events):
        quotes = lines.events["rest"].str.count_matches('"').fill_null(0)
        open_texts = starts[(quotes % 2 == 1).to_numpy()]
        is_unread[unread[np.isin(unread - 1, open_texts)]] = False
    return is_unread


def _are_orphans(kinds: UInt8, starts: Int64, is_unread: Bool, layout: LineLayout) -> Bool:
    """Which chain entries belong to no sample: their event line is missing, or was not understood.
    A sample ends with a blank line behind its chain, and where an unread line begins the next."""
    is_frame: Bool = kinds == FRAME
    orphans = np.zeros(len(kinds), np.bool_)
    if not layout.has_event_lines:
        return orphans
    orphans[: starts[0] if len(starts) else len(kinds)] = True
    before = np.append(np.uint8(BLANK), kinds[:-1])
    if is_unread.any() or (is_frame & (before == BLANK)).any():
        ends = (kinds == BLANK) & np.isin(before, _WITHIN_SAMPLE)
        ends |= is_unread & ((before == BLANK) | (not layout.chains))
        lines = np.arange(len(kinds))
        last_start = np.maximum.accumulate(np.where(_flags(starts, len(kinds)), lines, -1))
        last_end = np.maximum.accumulate(np.where(ends, lines, -1))
        orphans |= last_end > last_start
    return orphans & is_frame


def _flags(lines: Int64, length: int) -> Bool:
    flags = np.zeros(length, np.bool_)
    flags[lines] = True
    return flags


def _frames(lines: Lines, starts: Int64, is_orphan: Bool) -> _Frames:
    """The chain entries. Where a chain follows, the address on the event line is no frame but a
    data address: the chain does not begin on that line, unless behind a tab."""
    is_frame = (lines.codes > UNKNOWN) & ~is_orphan
    frames = _of_samples(lines.codes, is_frame, starts)
    both = np.flatnonzero(is_frame[starts] & (frames.lengths > 1))
    if not len(lines.events) or not len(both):
        return frames
    is_first = lines.events["rest"].gather(both).str.contains(_CHAIN).fill_null(value=False)
    is_frame[starts[both[~is_first.to_numpy()]]] = False
    return _of_samples(lines.codes, is_frame, starts)


def _of_samples(codes: UInt32, is_frame: Bool, starts: Int64) -> _Frames:
    """Without those before the first sample."""
    lines = np.flatnonzero(is_frame)
    bounds = np.append(np.searchsorted(lines, starts), len(lines))
    return _Frames(codes.take(lines[bounds[0] :]), np.diff(bounds))


def _with_own_dso(facts: Columns, frames: _Frames, symbols: SymbolInterner) -> Int64:
    """The symbol of each frame. An inlined function is in the binary of the function that it was
    inlined into."""
    ids: Int64 = facts["symbol_id"].take(frames.codes)
    inlined = facts["lacks_dso"].take(frames.codes)
    if not inlined.any():
        return ids
    owner = _owners(inlined, facts["ip"].take(frames.codes), frames.samples)
    pairs = np.stack([ids[inlined], ids[owner[inlined]]])
    distinct, which = np.unique(pairs, axis=1, return_inverse=True)
    own = symbols.intern(
        (symbols.row(name)[0], symbols.row(owner)[1], None) for name, owner in distinct.T.tolist()
    )
    ids[inlined] = own[which.ravel()]
    return ids


def _owners(inlined: Bool, ips: UInt32, samples: Int64) -> Int64:
    """The frame that each frame was inlined into, by its place: the next one in the chain that is
    not inlined, at the same address; perf 7 has it before. The frame itself where there is none."""
    indices = np.arange(len(inlined))
    before = np.maximum.accumulate(np.where(inlined, 0, indices))
    behind = np.minimum.accumulate(np.where(inlined, indices[-1], indices)[::-1])[::-1]
    owner = indices
    for other in (behind, before):
        is_owner = ~inlined[other] & (samples[other] == samples) & (ips[other] == ips)
        owner = np.where(is_owner, other, owner)
    return owner


def _filled(ids: Int64, lengths: Int64, symbols: SymbolInterner) -> tuple[Int64, Int64]:
    """The symbols and the lengths of all chains; a sample without one gets an unknown frame."""
    empty = np.flatnonzero(lengths == 0)
    if len(empty):
        ids = np.insert(ids, (np.cumsum(lengths) - lengths)[empty], symbols.intern([_NO_CHAIN]))
    return ids, np.maximum(lengths, 1)


def _samples(
    part: Chunk, text: Text, lines: Lines, starts: Int64, stack_ids: Int64
) -> pl.DataFrame:
    has_events = part.layout.has_event_lines
    rows = lines.events if has_events else lines.events.clear(len(starts))
    return rows.with_columns(
        pl.Series("stack_id", stack_ids),
        pl.col("event").fill_null(part.event),
        _cgroups(text, lines.kinds, starts),
        pl.lit(1, pl.Int64).alias("count"),
    ).select(list(SAMPLE))


def _without_large(samples: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Limitation]]:
    """The samples without times and periods that the store has no room for, and how many are so."""
    limitations = {}
    for name, code in (("time_ns", TIME), ("period", PERIOD)):
        if count := int((samples[name] == BEYOND).sum()):
            samples = samples.with_columns(pl.col(name).replace(BEYOND, None))
            limitations[code] = Limitation(TEXTS[code], count)
    return samples, limitations


def _cgroups(text: Text, kinds: UInt8, starts: Int64) -> pl.Expr:
    """Behind a chain the cgroup has a line of its own."""
    lines = np.flatnonzero(kinds == CGROUP)
    samples = np.searchsorted(starts, lines, side="right") - 1
    lines, samples = lines[samples >= 0], samples[samples >= 0]
    if not len(lines):
        return pl.col("cgroup")
    cgroups = pl.repeat(None, len(starts), dtype=pl.String, eager=True)
    behind = cgroups.scatter(samples, text.of(lines).str.strip_chars())
    return pl.coalesce(behind, "cgroup").alias("cgroup")


def _namespaces(text: Text, kinds: UInt8, starts: Int64) -> NamespaceChanges:
    """Of the lines with namespaces, each behind the line that says whose they are; behind how many
    samples."""
    lines = np.flatnonzero(kinds == NETNS)
    lines = lines[lines > 0]
    if not len(lines):
        return _NO_CHANGES
    inode = pl.col("inode").str.to_integer(base=16, dtype=pl.UInt64).reinterpret(dtype=pl.Int64)
    changes = pl.DataFrame(
        {
            "at": np.searchsorted(starts, lines),
            "tid": text.of(lines - 1).str.extract(grammar.NAMESPACES),
            "inode": text.of(lines).str.extract(grammar.NETNS),
        }
    )
    rows = changes.select("at", pl.col("tid").cast(pl.Int64, strict=False), inode).drop_nulls()
    return NamespaceChanges(*(column.to_numpy() for column in rows))


def _leaf_offsets(
    facts: Columns, frames: _Frames, leaves: Int64, samples: pl.DataFrame
) -> pl.DataFrame:
    owners = np.flatnonzero(frames.lengths)
    first = frames.codes[(np.cumsum(frames.lengths) - frames.lengths)[owners]]
    offsets = np.full(len(samples), -1)
    offsets[owners] = facts["offset"].take(first)
    hits = samples.select(
        "event",
        "count",
        pl.Series("symbol_id", leaves),
        pl.Series("offset", offsets),
        pl.coalesce("period", "count").cast(pl.Float64).alias("weight"),
    )
    return (
        hits.filter(pl.col("offset") >= 0)
        .group_by("event", "symbol_id", "offset")
        .agg(pl.sum("count"), pl.sum("weight"))
    )


def _skipped(text: Text, is_unread: Bool, is_orphan: Bool) -> pl.DataFrame:
    """Lines of no known kind, and chain entries without an event line; numbered from the start of
    the part."""
    at = np.flatnonzero(is_unread | is_orphan)
    texts = _copied(text.of(at).str.head(_MOST_SKIPPED_LETTERS))
    reason = (
        pl.when(pl.Series(is_orphan[at]))
        .then(pl.lit("no event line before it"))
        .when(pl.col("text").str.contains(grammar.TRACE_ERROR))
        .then(pl.lit(TRACE_NOT_DECODED))
        .otherwise(pl.lit("no known line"))
    )
    rows = pl.DataFrame({"line": at + 1, "text": texts}, schema_overrides={"text": pl.String})
    return rows.with_columns(reason.alias("reason")).select(list(SKIPPED))


def _copied(texts: pl.Series) -> pl.Series:
    """The texts without the longer ones that they are the beginnings of: polars shares those."""
    return series(texts.to_arrow(compat_level=pl.CompatLevel.oldest()))


def _facts(text: Text, lines: Lines, samples: pl.DataFrame, frames: _Frames) -> Facts:
    records = text.of(np.flatnonzero(lines.kinds == LOST))
    events = samples["event"].unique().to_list()
    return Facts(
        lost=lost(records),
        events={event: Event(unit_of(event)) for event in events},
        inlined_samples=_inlined_samples(lines.frames, frames),
    )


def _inlined_samples(facts: Columns, frames: _Frames) -> int | None:
    """Samples with frames of inlined functions; None where there are no frames."""
    if not len(frames.codes):
        return None
    return len(np.unique(frames.samples[facts["lacks_dso"].take(frames.codes)]))
