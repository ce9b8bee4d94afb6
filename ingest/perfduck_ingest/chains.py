"""Symbols and call chains as flat columns: from names to symbol ids, from those to stack ids.

A chain is found again by a key over its symbol ids, all chains at once; only chains that are not
cached are hashed into ids, one by one.
"""

from collections.abc import Iterable

import numpy as np
import polars as pl

from perfduck_kernels import kernels
from perfduck_kernels.hash_cache import HashCache
from perfduck_model.arrays import Bool, Int64
from perfduck_model.arrow import lists
from perfduck_model.batch import STACK, SYMBOL
from perfduck_model.identity import symbol_ids
from perfduck_model.limits import limits
from perfduck_symbols.names import canonical_dso

SymbolRow = tuple[str, str, int | None]  # name, dso, address


class StackCache(HashCache[np.int64]):
    """The stack ids of chains by their keys."""

    def __init__(self) -> None:
        super().__init__(np.int64, limits.stack_slots_log2)


class SymbolInterner:
    """The symbols of a recording. Shared by threads: operations on dicts are atomic."""

    def __init__(self) -> None:
        self._ids = HashCache[np.int64](np.int64, limits.symbol_slots_log2)
        self._reported = HashCache[np.bool_](np.bool_, limits.symbol_slots_log2)
        self._rows: dict[int, SymbolRow] = {}

    def ids(self, rows: pl.DataFrame) -> Int64:
        """The id of each symbol: name, dso, address."""

        def look_up(indices: Int64) -> Int64:
            return self.intern(rows[indices].iter_rows())

        return self._ids.of(rows.hash_rows().to_numpy(), look_up)

    def intern(self, rows: Iterable[SymbolRow]) -> Int64:
        """The id of each of some symbols."""
        named = [(name, canonical_dso(dso), address) for name, dso, address in rows]
        ids = symbol_ids(named)
        self._rows.update(zip(ids.tolist(), named, strict=True))
        return ids

    def row(self, identity: int) -> SymbolRow:
        """The symbol with this id."""
        return self._rows[identity]

    def unreported(self, stacks: pl.DataFrame) -> pl.DataFrame:
        """batch.SYMBOL of those symbols in the stacks that no earlier call returned, and of a few
        that one did."""
        ids = stacks["symbol_ids"].explode().to_numpy()
        new = ids[:0]

        def look_up(indices: Int64) -> Bool:
            nonlocal new
            new = ids[indices]
            return np.ones(len(indices), np.bool_)

        self._reported.of(ids.view(np.uint64), look_up)
        rows = [(identity, *self._rows[identity]) for identity in new.tolist()]
        return pl.DataFrame(rows, schema=SYMBOL, orient="row")


def stacks(symbol_ids: Int64, lengths: Int64, cache: StackCache) -> tuple[Int64, pl.DataFrame]:
    """The stack id of each chain, and the chains that are new.

    `symbol_ids` holds the frames of all chains, leaf first, one chain behind the other; `lengths`
    the number of frames of each, at least 1.
    """
    new = pl.DataFrame(schema=STACK)
    if not len(lengths):
        return np.empty(0, np.int64), new
    starts = np.cumsum(lengths) - lengths

    def look_up(indices: Int64) -> Int64:
        nonlocal new
        symbols_of_chains = symbol_ids[kernels.ranges(starts[indices], lengths[indices])]
        new = stack_rows(symbols_of_chains, lengths[indices])
        return new["stack_id"].to_numpy()

    keys = kernels.chain_keys(symbol_ids.view(np.uint64), starts, lengths)
    return cache.of(keys, look_up), new


def stack_rows(symbol_ids: Int64, lengths: Int64) -> pl.DataFrame:
    """The columns of batch.STACK, a row for each chain; chains as for `stacks`."""
    chains = lists(symbol_ids, lengths)
    ids = kernels.stack_ids(symbol_ids, lengths)
    return pl.DataFrame({"stack_id": ids, "symbol_ids": chains}, schema=STACK)
