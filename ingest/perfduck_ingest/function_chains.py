"""Chains of functions that a format lists in a table of its own: from rows of it to stacks."""

from array import array
from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl
from msgspec import Struct

from perfduck_ingest.chains import StackCache, SymbolInterner, stacks
from perfduck_ingest.message_parts import check_number
from perfduck_kernels import kernels
from perfduck_model.arrays import Int64
from perfduck_model.batch import SAMPLE, Batch
from perfduck_model.limits import limits

UNKNOWN = "[unknown]"  # a name, or a dso


class InternedChains(Struct, frozen=True):
    """The stack id of each chain; stacks and symbols that no earlier chain had."""

    stack_ids: Int64
    stacks: pl.DataFrame
    symbols: pl.DataFrame


class LocationTable(Struct, frozen=True):
    """The functions of all locations, [name, dso, address], the last one not known; of each
    location where its functions start, and how many there are: with inlined ones several."""

    functions: pl.DataFrame
    starts: Int64
    counts: Int64


def location_table(locations: Iterable[tuple[list[str], str, int]]) -> LocationTable:
    """Of locations as names of functions, leaf first and maybe none, dso, and unsigned address."""
    rows: list[tuple[str, str, int | None]] = []
    starts, counts = array("q"), array("q")
    for names, dso, address in locations:
        starts.append(len(rows))
        counts.append(max(len(names), 1))
        rows += [(name or UNKNOWN, dso, None) for name in names]
        if not names:
            has_address = dso != UNKNOWN and address
            rows.append((UNKNOWN, dso, _signed(address) if has_address else None))
    rows.append((UNKNOWN, UNKNOWN, None))
    schema = {"name": pl.String, "dso": pl.String, "address": pl.Int64}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return LocationTable(frame, np.frombuffer(starts, np.int64), np.frombuffer(counts, np.int64))


class FunctionChains:
    """The chains of a recording."""

    def __init__(self) -> None:
        self._interner, self._cache = SymbolInterner(), StackCache()

    def ids(self, functions: pl.DataFrame) -> Int64:
        """The id of each function: [name, dso, address]."""
        return self._interner.ids(functions)

    def chains(self, ids: Int64, rows: Int64, lengths: Int64) -> InternedChains:
        """Chains one behind the other in `rows`, leaf first, as places in `ids` of functions; each
        of `lengths` frames, at least 1."""
        stack_ids, new = stacks(ids[rows], lengths, self._cache)
        return InternedChains(stack_ids, new, self._interner.unreported(new))

    def of_locations(
        self, table: LocationTable, places: Int64, lengths: Int64, stack_ids: Int64
    ) -> Iterator[Batch]:
        """Stacks and symbols that no earlier chain had, of chains of locations: one behind the
        other in `places`, each of `lengths`, 0 for one that is not known. The id of each is put
        into `stack_ids`. MessageError for more frames than may be held."""
        frames = frame_counts(
            np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
            table.counts[places],
            len(lengths),
        )
        ids, ends = self.ids(table.functions), np.cumsum(lengths)
        for first, end in _parts(frames):
            some = places[ends[first] - lengths[first] : ends[end - 1]]
            rows = kernels.ranges(table.starts[some], table.counts[some])
            nameless = np.flatnonzero(frames[first:end] == 0)
            before = (np.cumsum(frames[first:end]) - frames[first:end])[nameless]
            rows = np.insert(rows, before, len(ids) - 1)
            interned = self.chains(ids, rows, np.maximum(frames[first:end], 1))
            stack_ids[first:end] = interned.stack_ids
            yield Batch(stacks=interned.stacks, symbols=interned.symbols)


def _parts(frames: Int64) -> Iterator[tuple[int, int]]:
    """Ranges of chains with about a million frames each."""
    parts = np.cumsum(frames) // limits.most_frames
    firsts = np.flatnonzero(np.diff(parts, prepend=-1))
    yield from zip(firsts.tolist(), [*firsts[1:].tolist(), len(frames)], strict=True)


def frame_counts(owner: Int64, counts: Int64, stacks: int) -> Int64:
    """The frames of each of some stacks: of each location the stack it is of, and how many it has.
    MessageError for more than may be held: 20,000 times a location of 20,000 functions fit in
    100 kB."""
    frames = np.bincount(owner, counts, stacks).astype(np.int64)
    check_number(int(frames.max(initial=0)), "frames of a stack", limits.most_stack_frames)
    check_number(int(frames.sum()), "frames of stacks", limits.most_message_numbers)
    return frames


def bytes_of(texts: Iterable[str]) -> int:
    """The length of texts in UTF-8."""
    return sum(len(text.encode()) for text in texts)


def sample_rows(known: pl.DataFrame) -> pl.DataFrame:
    """The columns of batch.SAMPLE: those that are known, and null in place of the others."""
    others = {name: pl.lit(None, kind) for name, kind in SAMPLE.items() if name not in known}
    return known.with_columns(**others).select(*SAMPLE).cast(pl.Schema(SAMPLE))


def _signed(number: int) -> int:
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)
