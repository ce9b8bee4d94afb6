"""Symbols and call chains as flat columns: from names to symbol ids, from those to stack ids.

A chain is found again by a polynomial over its symbol ids, all chains at once; only chains that
are not known are hashed into ids, one by one.
"""

from collections.abc import Iterable

import numpy as np
import polars as pl
import pyarrow as pa

from perfduck_kernels.hash_cache import HashCache
from perfduck_model.arrays import Bool, Int64, UInt64
from perfduck_model.batch import STACK, SYMBOL
from perfduck_model.identity import stack_ids, symbol_ids
from perfduck_symbols.names import canonical_dso

SymbolRow = tuple[str, str, int | None]  # name, dso, address

# Odd, and 3 modulo 4: swapped or repeated frames change all but the lowest bits.
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C13 | 3)
_STACK_BITS = 19  # 8 MB; 160 s of two busy CPUs have 118,000 stacks, 55,000 symbols
_SYMBOL_BITS = 18


class KnownStacks(HashCache[np.int64]):
    """The stack ids of chains by their polynomials."""

    def __init__(self) -> None:
        super().__init__(np.int64, _STACK_BITS)


class SymbolInterner:
    """The symbols of a recording. Shared by threads: operations on dicts are atomic."""

    def __init__(self) -> None:
        self._ids = HashCache[np.int64](np.int64, _SYMBOL_BITS)
        self._told = HashCache[np.bool_](np.bool_, _SYMBOL_BITS)
        self._rows: dict[int, SymbolRow] = {}

    def ids(self, rows: pl.DataFrame) -> Int64:
        """The id of each symbol: name, dso, address."""

        def look_up(places: Int64) -> Int64:
            return self.made(rows[places].iter_rows())

        return self._ids.of(rows.hash_rows().to_numpy(), look_up)

    def made(self, rows: Iterable[SymbolRow]) -> Int64:
        """The id of each of some symbols."""
        named = [(name, canonical_dso(dso), address) for name, dso, address in rows]
        ids = symbol_ids(named)
        self._rows.update(zip(ids.tolist(), named, strict=True))
        return ids

    def row(self, identity: int) -> SymbolRow:
        """The symbol with this id."""
        return self._rows[identity]

    def untold(self, stacks: pl.DataFrame) -> pl.DataFrame:
        """Those of the symbols in the stacks that were not told before; a few that were."""
        ids = stacks["symbol_ids"].explode().to_numpy()
        new = ids[:0]

        def look_up(places: Int64) -> Bool:
            nonlocal new
            new = ids[places]
            return np.ones(len(places), np.bool_)

        self._told.of(ids.view(np.uint64), look_up)
        rows = [(identity, *self._rows[identity]) for identity in new.tolist()]
        return pl.DataFrame(rows, schema=SYMBOL, orient="row")


def stacks(symbol_ids: Int64, lengths: Int64, known: KnownStacks) -> tuple[Int64, pl.DataFrame]:
    """The stack id of each chain, and the chains that are new.

    `symbol_ids` holds the frames of all chains, leaf first, one chain behind the other; `lengths`
    the number of frames of each, at least 1.
    """
    new = pl.DataFrame(schema=STACK)
    if not len(lengths):
        return np.empty(0, np.int64), new
    starts = np.cumsum(lengths) - lengths

    def look_up(places: Int64) -> Int64:
        nonlocal new
        chosen = symbol_ids[ranges(starts[places], lengths[places])]
        new = stack_rows(chosen, lengths[places])
        return new["stack_id"].to_numpy()

    ids = known.of(polynomials(symbol_ids.view(np.uint64), starts, lengths), look_up)
    return ids, new


def polynomials(terms: UInt64, starts: Int64, lengths: Int64) -> UInt64:
    """A number for each chain, of its terms and their order; chains as for `stacks`."""
    depths = np.arange(len(terms)) - np.repeat(starts, lengths)
    powers = np.full(int(lengths.max()), _MULTIPLIER)
    powers[0] = 1
    return np.add.reduceat(terms * np.multiply.accumulate(powers).take(depths), starts)


def stack_rows(symbol_ids: Int64, lengths: Int64) -> pl.DataFrame:
    """The columns of batch.STACK, a row for each chain; chains as for `stacks`."""
    chains = pa.LargeListArray.from_arrays(np.append(0, np.cumsum(lengths)), symbol_ids)
    ids = stack_ids(symbol_ids, lengths)
    return pl.DataFrame({"stack_id": ids, "symbol_ids": pl.Series(chains)}, schema=STACK)


def ranges(starts: Int64, lengths: Int64) -> Int64:
    """start, start + 1, ... of each range, one range behind the other."""
    ends = np.cumsum(lengths)
    places = np.repeat(starts - (ends - lengths), lengths)
    places += np.arange(len(places))
    return places
