"""Chains of functions that a format lists in a table of its own: from rows of it to stacks."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from perfduck_ingest.chains import StackCache, SymbolInterner, stacks
from perfduck_ingest.message_parts import MessageError
from perfduck_model.arrays import Int64
from perfduck_model.batch import SAMPLE
from perfduck_model.limits import limits

UNKNOWN = "[unknown]"  # a name, or a dso


@dataclass(frozen=True, slots=True)
class InternedChains:
    """The stack id of each chain; stacks and symbols that no earlier chain had."""

    stack_ids: Int64
    stacks: pl.DataFrame
    symbols: pl.DataFrame


class FunctionChains:
    """The chains of a recording."""

    def __init__(self) -> None:
        self._interner, self._cache = SymbolInterner(), StackCache()

    def chains(self, functions: pl.DataFrame, rows: Int64, lengths: Int64) -> InternedChains:
        """Chains one behind the other in `rows`, leaf first, as rows of `functions`: [name, dso,
        address]; each of `lengths` frames, at least 1."""
        ids = self._interner.ids(functions)
        stack_ids, new = stacks(ids[rows], lengths, self._cache)
        return InternedChains(stack_ids, new, self._interner.unreported(new))


def frame_counts(owner: Int64, counts: Int64, stacks: int) -> Int64:
    """The frames of each of some stacks: of each location the stack it is of, and how many it has.
    MessageError for more than may be held: 20,000 times a location of 20,000 functions fit in
    100 kB."""
    frames = np.bincount(owner, counts, stacks).astype(np.int64)
    if frames.max(initial=0) > limits.most_stack_frames:
        message = f"more than {limits.most_stack_frames:,} frames of a stack"
        raise MessageError(message)
    if frames.sum() > limits.most_message_numbers:
        message = f"more than {limits.most_message_numbers:,} frames of stacks"
        raise MessageError(message)
    return frames


def bytes_of(texts: Iterable[str]) -> int:
    """The length of texts in UTF-8."""
    return sum(len(text.encode()) for text in texts)


def sample_rows(known: pl.DataFrame) -> pl.DataFrame:
    """The columns of batch.SAMPLE: those that are known, and null in place of the others."""
    others = {name: pl.lit(None, kind) for name, kind in SAMPLE.items() if name not in known}
    return known.with_columns(**others).select(*SAMPLE).cast(pl.Schema(SAMPLE))
