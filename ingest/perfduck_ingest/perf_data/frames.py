"""From addresses to symbols: which map, which binary, which function.

    ffffffff8168df20  in kernel  -> mod_memcg_lruvec_state+0xf0 ([kernel.kallsyms])
        7f17a423f504  epoch 311  -> /usr/lib/.../libc.so.6 at 0x1504 -> malloc+0x14

An address is resolved once for each epoch of its process. The answer is one number: the symbol's
place in the list of symbols, and the offset of the address in the function.
"""

import re
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from perfduck_ingest.chains import SymbolRow
from perfduck_ingest.perf_data.byte_order import Integers, Words
from perfduck_ingest.perf_data.maps import Flags, MapsAt
from perfduck_ingest.perf_data.memo import Memo
from perfduck_store.identity import symbol_id
from perfduck_symbols.addresses import EMPTY, SymbolTable

UNKNOWN = "[unknown]"
_NO_OFFSET = 0xFFFFFFFF
_OFFSET_BITS = 32
_MEMO_BITS = 20
_EPOCH_SPREAD = np.uint64(0xD6E8FEB86659FD93)
_DSO_SPREAD = np.uint64(0xA24BAED4963EE407)
KERNEL = "[kernel.kallsyms]"
# Not in a file, or not the same in the next run: the same rule as for perf script's text.
_NO_FILE = re.compile(r"//|/(?:memfd:|dev/|SYSV|anon_hugepage|tmp/perf-\d+\.map)|.*\(deleted\)$")


class Symbols:
    """The symbols met so far, numbered; each is told to the store once."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, str, str, int | None]] = []  # symbol id, name, dso, address
        self._numbers: dict[SymbolRow, int] = {}
        self._ids = np.zeros(1 << 12, np.int64)

    def number(self, name: str, dso: str, address: int | None) -> int:
        """The symbol's number."""
        row = (name, dso, address)
        number = self._numbers.get(row)
        if number is None:
            number = self._numbers[row] = len(self.rows)
            identity = symbol_id(*row)
            self.rows.append((identity, *row))
            if number == len(self._ids):
                self._ids = np.concatenate((self._ids, np.zeros_like(self._ids)))
            self._ids[number] = identity
        return number

    def ids(self, numbers: Integers) -> Integers:
        """The ids of some symbols."""
        return self._ids[numbers]


class Dso:
    """A binary, or the kernel: its table of symbols and the numbers of those that were hit."""

    def __init__(self, name: str, table: SymbolTable, shift: int = 0) -> None:
        """`shift` is what to add to addresses to get those in the table."""
        self._name = name
        self._table = table
        self._shift = np.uint64(shift % (1 << 64))
        self._most_named = _most_named(name)
        self._numbers = np.full(len(table.starts), -1, np.int64)

    def resolve(self, addresses: Words, symbols: Symbols) -> Integers:
        """Symbol number and offset, packed, of each address."""
        shifted = addresses + self._shift
        places = self._table.find(shifted)
        hit = places >= 0
        packed = np.empty(len(addresses), np.int64)
        packed[~hit] = self._unknown(addresses[~hit], symbols)
        places = places[hit]
        for place in np.unique(places[self._numbers[places] < 0]).tolist():
            self._numbers[place] = symbols.number(self._table.name(place), self._name, None)
        offsets = np.minimum(shifted[hit] - self._table.starts[places], np.uint64(_NO_OFFSET - 1))
        packed[hit] = pack(self._numbers[places], offsets.view(np.int64))
        return packed

    def _unknown(self, addresses: Words, symbols: Symbols) -> Integers:
        if not self._most_named:
            number = symbols.number(UNKNOWN, self._name, None) if len(addresses) else 0
            return np.full(len(addresses), pack(np.array(number), _NO_OFFSET))
        distinct, inverse = np.unique(addresses, return_inverse=True)
        numbers = [
            symbols.number(UNKNOWN, self._name, signed if address < self._most_named else None)
            for address, signed in zip(
                distinct.tolist(), distinct.view(np.int64).tolist(), strict=True
            )
        ]
        return pack(np.array(numbers, np.int64)[inverse], _NO_OFFSET)


def _most_named(dso: str) -> int:
    """Below this an address without a symbol is kept: it means the same in the next run."""
    if dso == KERNEL:
        return 1 << 64
    return 1 << 40 if dso.startswith("/") and not _NO_FILE.match(dso) else 0


def pack(numbers: Integers, offsets: Integers | int) -> Integers:
    """A symbol's number and an offset in one."""
    return numbers << _OFFSET_BITS | offsets


def unpack(packed: Integers) -> tuple[Integers, Integers]:
    """Symbol numbers and offsets; offset -1 where the symbol is not known."""
    offsets = packed & _NO_OFFSET
    return packed >> _OFFSET_BITS, np.where(offsets == _NO_OFFSET, -1, offsets)


class Frames:
    """Resolves the frames of a recording."""

    def __init__(
        self, user: Callable[[int], Dso], kernel: Callable[[int], Dso], symbols: Symbols
    ) -> None:
        """`user` and `kernel` open a dso by the number that the maps have for it."""
        self._openers = {False: user, True: kernel}
        self._dsos: dict[int, Dso] = {}
        self._symbols = symbols
        self._by_epoch = Memo(_MEMO_BITS)
        self._by_dso = Memo(_MEMO_BITS)

    def resolve(
        self, addresses: Words, epochs: Integers, in_kernel: Flags, maps: MapsAt
    ) -> Integers:
        """Symbol numbers and offsets, packed; `maps` says what is where in each epoch."""
        keys = addresses + np.where(in_kernel, 0, epochs + 1).view(np.uint64) * _EPOCH_SPREAD

        def look_up(first: Integers) -> Integers:
            dsos, places = maps.find(addresses[first], epochs[first], in_kernel[first])
            return self._in_dsos(dsos, places)

        return _remembered(self._by_epoch, keys, look_up)

    def _in_dsos(self, dsos: Integers, places: Words) -> Integers:
        """The same for addresses in dsos: most are found in many processes."""
        keys = places + (dsos + 2).view(np.uint64) * _DSO_SPREAD

        def look_up(first: Integers) -> Integers:
            packed = np.empty(len(first), np.int64)
            for dso, members in _groups(dsos[first]):
                packed[members] = self._opened(dso).resolve(places[first[members]], self._symbols)
            return packed

        return _remembered(self._by_dso, keys, look_up)

    def _opened(self, number: int) -> Dso:
        if number not in self._dsos:
            opener = self._openers[bool(number & 1)]
            self._dsos[number] = Dso(UNKNOWN, EMPTY) if number < 0 else opener(number >> 1)
        return self._dsos[number]


def _remembered(memo: Memo, keys: Words, look_up: Callable[[Integers], Integers]) -> Integers:
    """Values of keys. `look_up` gets places of keys that the memo does not know, each once."""
    found, known = memo.find(keys)
    values: Integers = found[0]
    missing = np.flatnonzero(~known)
    if len(missing):
        fresh, first, inverse = np.unique(keys[missing], return_index=True, return_inverse=True)
        answers = look_up(missing[first])
        memo.keep(fresh, answers[np.newaxis])
        values[missing] = answers[inverse]
    return values


def _groups(numbers: Integers) -> list[tuple[int, npt.NDArray[np.int64]]]:
    """The places of each distinct number."""
    if not len(numbers):
        return []
    order = np.argsort(numbers, kind="stable")
    distinct, first = np.unique(numbers[order], return_index=True)
    return list(zip(distinct.tolist(), np.split(order, first[1:]), strict=True))
