"""Call chains as flat columns: from frames to stack ids.

A chain is found again by a polynomial over its symbol ids, all chains at once; only chains that
were never seen are hashed into ids, one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from perfduck_store.batch import STACK, SYMBOL
from perfduck_store.identity import stack_id, symbol_id

Numbers = npt.NDArray[np.int64]
SymbolRow = tuple[str, str, int | None]  # name, dso, address

# Odd, and 3 modulo 4: swapped or repeated frames change all but the lowest bits.
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C13 | 3)


@dataclass(frozen=True, slots=True)
class KnownStacks:
    """Polynomial of a chain -> its stack id. Shared by threads: dict operations are atomic."""

    ids: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KnownSymbols:
    """(name, dso, address) -> symbol id. Shared by threads: dict operations are atomic."""

    known: dict[SymbolRow, int] = field(default_factory=dict)

    def ids(self, numbers: Numbers, rows: Sequence[SymbolRow]) -> tuple[Numbers, pl.DataFrame]:
        """The symbol id of each frame, and the symbols that are new. `numbers` says which of the
        rows a frame is; rows that no frame is are left out."""
        used = np.flatnonzero(np.bincount(numbers, minlength=len(rows)))
        ids = np.zeros(len(rows), np.int64)
        new = []
        for number in used.tolist():
            row = rows[number]
            identity = self.known.get(row)
            if identity is None:
                identity = self.known[row] = symbol_id(*row)
                new.append((identity, *row))
            ids[number] = identity
        return ids[numbers], pl.DataFrame(new, schema=SYMBOL, orient="row")


def stacks(
    symbol_ids: Numbers, lengths: Numbers, known: KnownStacks
) -> tuple[Numbers, pl.DataFrame]:
    """The stack id of each chain, and the chains that are new.

    `symbol_ids` holds the frames of all chains, leaf first, one chain behind the other; `lengths`
    the number of frames of each, at least 1.
    """
    if not len(lengths):
        return np.empty(0, np.int64), pl.DataFrame(schema=STACK)
    starts = np.cumsum(lengths) - lengths
    distinct, first, chain = _distinct(_polynomials(symbol_ids, starts, lengths))
    ids = np.empty(len(distinct), np.int64)
    new = []
    for number, polynomial in enumerate(distinct.tolist()):
        identity = known.ids.get(polynomial)
        if identity is None:
            start = starts[first[number]]
            identity = stack_id(symbol_ids[start : start + lengths[first[number]]])
            known.ids[polynomial] = identity
            new.append(number)
        ids[number] = identity
    chosen = first[new]
    return ids[chain], _frame(ids[new], symbol_ids, starts[chosen], lengths[chosen])


def _distinct(values: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint64], Numbers, Numbers]:
    """The distinct values, where each is first, and which each value is. np.unique sorts: on
    hashes pyarrow's dictionary is ten times faster."""
    encoded = pa.array(values).dictionary_encode()
    which = encoded.indices.to_numpy().astype(np.int64)
    first = np.empty(len(encoded.dictionary), np.int64)
    first[which[::-1]] = np.arange(len(which))[::-1]
    return encoded.dictionary.to_numpy(), first, which


def _polynomials(symbol_ids: Numbers, starts: Numbers, lengths: Numbers) -> npt.NDArray[np.uint64]:
    depths = np.arange(len(symbol_ids)) - np.repeat(starts, lengths)
    powers = np.full(int(lengths.max()), _MULTIPLIER)
    powers[0] = 1
    terms = symbol_ids.view(np.uint64) * np.multiply.accumulate(powers)[depths]
    return np.add.reduceat(terms, starts)


def _frame(ids: Numbers, symbol_ids: Numbers, starts: Numbers, lengths: Numbers) -> pl.DataFrame:
    ends = np.cumsum(lengths)
    places = np.arange(int(lengths.sum())) + np.repeat(starts - (ends - lengths), lengths)
    offsets = pa.array(np.concatenate(([0], ends)), pa.int64())
    lists = pa.LargeListArray.from_arrays(offsets, pa.array(symbol_ids[places], pa.int64()))
    return pl.DataFrame({"stack_id": ids, "symbol_ids": pl.Series(lists)}, schema=STACK)
