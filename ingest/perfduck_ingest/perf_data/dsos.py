"""Binaries as far as they were hit: from addresses in them to symbols.

    /usr/lib/x86_64-linux-gnu/libc.so.6   97a0f  -> malloc+0x1f
    /usr/lib/go-1.19/bin/go               1f2c0  -> [unknown], distinguished by its address
    with debug information                97a0f  -> tcache_get+0x1f, malloc+0x1f: a chain

The answer is one number: the symbol's place in the list of symbols, and the offset of the address
in the function. Functions that were inlined at an address are a chain, with a number of its own.
"""

import re
from collections.abc import Sequence
from typing import Generic, cast

import numpy as np
import polars as pl

from perfduck_ingest.chains import SymbolRow
from perfduck_ingest.perf_data.inlined import Inlined
from perfduck_kernels.native import UNREADABLE
from perfduck_model.arrays import Int32, Int64, UInt8, UInt64
from perfduck_model.batch import SYMBOL
from perfduck_model.identity import symbol_ids
from perfduck_symbols.addresses import Place, SymbolTable
from perfduck_symbols.demangle import stays_mangled
from perfduck_symbols.names import FILE, KERNEL, LOW, NOT_A_FILE, UNKNOWN

NO_OFFSET = 0xFFFFFFFF
_OFFSET_BITS = 32
_CHAINS = 1 << 30  # numbers of chains begin here
HAS_INLINED, LACKS_INLINED, IS_MANGLED = np.uint8(1), np.uint8(2), np.uint8(4)


class DsoSymbols:
    """The symbols met so far, numbered; take_new() returns each once."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}  # by symbol id
        self._ids = np.zeros(1 << 12, np.int64)
        self._unreported: list[SymbolRow] = []  # of the last numbers
        self._chains: dict[tuple[int, ...], int] = {}
        self._parts: list[tuple[int, ...]] = []  # of each chain
        self._lacking = set[int]()
        self._mangled = set[int]()

    def intern(self, rows: Sequence[SymbolRow]) -> Int64:
        """The number of each symbol, its index in the order in which they were interned."""
        ids = symbol_ids(rows)
        numbers = np.empty(len(rows), np.int64)
        for index, (identity, row) in enumerate(zip(ids.tolist(), rows, strict=True)):
            number = self._numbers.get(identity)
            if number is None:
                number = self._numbers[identity] = len(self._numbers)
                self._unreported.append(row)
                if stays_mangled(row[0]):
                    self._mangled.add(number)
            numbers[index] = number
        if len(self._numbers) > len(self._ids):
            self._ids = np.resize(self._ids, 2 * len(self._numbers))
        self._ids[numbers] = ids
        return numbers

    def chain(self, numbers: tuple[int, ...]) -> int:
        """The number of several symbols that are at one address, innermost first."""
        if numbers not in self._chains:
            self._chains[numbers] = len(self._parts)
            self._parts.append(numbers)
        return _CHAINS + self._chains[numbers]

    def lack_inlined(self, numbers: Int64) -> None:
        """Of code of these symbols is not known what was inlined."""
        self._lacking.update(numbers.tolist())

    @property
    def has_flags(self) -> bool:
        """Whether any symbol has flags."""
        return bool(self._parts or self._lacking or self._mangled)

    def flags(self, numbers: Int32) -> UInt8:
        """HAS_INLINED of chains, LACKS_INLINED of symbols of which that is not known, IS_MANGLED of
        those with such a name."""
        flags = HAS_INLINED * (numbers >= _CHAINS).astype(np.uint8)
        for flag, members in ((LACKS_INLINED, self._lacking), (IS_MANGLED, self._mangled)):
            if members:
                known = np.fromiter(members, np.int64, len(members))
                flags |= flag * np.isin(numbers, known)
        return flags

    def unchained(self, numbers: Int32) -> tuple[Int64, Int64]:
        """The numbers with chains replaced by what they consist of, and how many each became."""
        sizes = np.ones(len(numbers), np.int64)
        is_chain = np.flatnonzero(numbers >= _CHAINS)
        if not len(is_chain):
            return numbers.astype(np.int64), sizes
        parts = [self._parts[number] for number in (numbers[is_chain] - _CHAINS).tolist()]
        sizes[is_chain] = [len(part) for part in parts]
        flat = np.repeat(numbers.astype(np.int64), sizes)
        flat[flat >= _CHAINS] = [number for part in parts for number in part]
        return flat, sizes

    def innermost(self, packed: Int64) -> Int64:
        """Numbers and offsets, packed, with chains replaced by their innermost symbol."""
        numbers, offsets = unpack(packed)
        is_chain = numbers >= _CHAINS
        if not is_chain.any():
            return packed
        numbers[is_chain] = [
            self._parts[number][0] for number in (numbers[is_chain] - _CHAINS).tolist()
        ]
        return pack(numbers, offsets)

    def ids(self, numbers: Int64 | Int32) -> Int64:
        """The ids of some symbols."""
        return self._ids.take(numbers)

    def take_new(self) -> pl.DataFrame:
        """batch.SYMBOL of those that are new since the last call."""
        count = len(self._numbers)
        ids = self._ids[count - len(self._unreported) : count]
        columns = zip(*self._unreported, strict=True) if self._unreported else ([], [], [])
        self._unreported = []
        return pl.DataFrame(dict(zip(SYMBOL, (ids, *columns), strict=True)), schema=SYMBOL)


class Dso(Generic[Place]):
    """A binary, or the kernel: its table of symbols and the numbers of those that were hit."""

    def __init__(
        self,
        name: str,
        table: SymbolTable[Place],
        shift: int = 0,
        inlined: Inlined | None = None,
        *,
        lacks_inlined: bool = False,
    ) -> None:
        """`shift` is what to add to addresses to get those in the table. `lacks_inlined`: what was
        inlined is known of others, and not of this one."""
        self._name = name
        self._table = table
        self._shift = np.uint64(shift % (1 << 64))
        self._most_named = _most_named(name)
        self._numbers = np.full(len(table.starts), -1, np.int64)
        self._inlined = inlined
        self._lacks_inlined = lacks_inlined
        self._inlined_numbers = np.zeros(0, np.int64)  # symbols, by the numbers of their names

    def resolve(self, addresses: Place, symbols: DsoSymbols) -> Int64:
        """Symbol number and offset, packed, of each address."""
        shifted = cast(Place, addresses + self._shift)
        indices = self._table.find(shifted)
        hit = indices >= 0
        packed = np.empty(len(addresses), np.int64)
        packed[~hit] = pack(self._unknown(addresses[~hit], symbols), NO_OFFSET)
        packed[hit] = self._named(shifted[hit], indices[hit], symbols)
        if self._inlined is not None:
            packed[hit] = self._with_inlined(addresses[hit], packed[hit], symbols, self._inlined)
        if self._lacks_inlined:
            symbols.lack_inlined(unpack(packed[hit])[0])
        return packed

    def _named(self, addresses: UInt64, indices: Int64, symbols: DsoSymbols) -> Int64:
        fresh = np.unique(indices[self._numbers[indices] < 0])
        if len(fresh):
            rows = [(self._table.name(index), self._name, None) for index in fresh.tolist()]
            self._numbers[fresh] = symbols.intern(rows)
        offsets = np.minimum(addresses - self._table.starts[indices], np.uint64(NO_OFFSET - 1))
        return pack(self._numbers[indices], offsets.view(np.int64))

    def _with_inlined(
        self, addresses: UInt64, packed: Int64, symbols: DsoSymbols, inlined: Inlined
    ) -> Int64:
        """The same with chains where functions were inlined."""
        numbers, offsets = unpack(packed)
        counts, names = inlined.information.at(inlined.svmas(addresses))
        symbols.lack_inlined(numbers[counts == UNREADABLE])
        fresh = inlined.information.names[len(self._inlined_numbers) :]
        if fresh:
            interned = symbols.intern([(name, self._name, None) for name in fresh])
            self._inlined_numbers = np.append(self._inlined_numbers, interned)
        own, start = self._inlined_numbers[names].tolist(), 0
        for index in np.flatnonzero(counts > 0).tolist():
            end = start + int(counts[index])
            numbers[index] = symbols.chain((*own[start:end], int(numbers[index])))
            start = end
        return pack(numbers, offsets)

    def _unknown(self, addresses: UInt64, symbols: DsoSymbols) -> Int64:
        if not self._most_named:
            rows: list[SymbolRow] = [(UNKNOWN, self._name, None)] * min(len(addresses), 1)
            return np.resize(symbols.intern(rows), len(addresses))
        pairs = zip(addresses.tolist(), addresses.view(np.int64).tolist(), strict=True)
        return symbols.intern(
            [
                (UNKNOWN, self._name, signed if address < self._most_named else None)
                for address, signed in pairs
            ]
        )


def _most_named(dso: str) -> int:
    """Below this an address without a symbol is kept: it means the same in the next run."""
    if dso == KERNEL:
        return 1 << 64
    return LOW if re.search(FILE, dso) and not re.search(NOT_A_FILE, dso) else 0


def pack(numbers: Int64, offsets: Int64 | int) -> Int64:
    """A symbol's number and an offset in one."""
    return numbers << _OFFSET_BITS | offsets


def unpack(packed: Int64) -> tuple[Int64, Int64]:
    """Symbol numbers and offsets; NO_OFFSET where the symbol is not known."""
    return packed >> _OFFSET_BITS, packed & NO_OFFSET
