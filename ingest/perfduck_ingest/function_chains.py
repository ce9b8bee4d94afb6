"""Chains of functions that a format lists in a table of its own: from rows of it to stacks."""

from dataclasses import dataclass

import polars as pl

from perfduck_ingest.chains import StackCache, SymbolInterner, stacks
from perfduck_model.arrays import Int64
from perfduck_model.batch import SAMPLE

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


def sample_rows(known: pl.DataFrame) -> pl.DataFrame:
    """The columns of batch.SAMPLE: those that are known, and null in place of the others."""
    others = {name: pl.lit(None, kind) for name, kind in SAMPLE.items() if name not in known}
    return known.with_columns(**others).select(*SAMPLE).cast(pl.Schema(SAMPLE))
