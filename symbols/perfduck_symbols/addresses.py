"""Which symbol an address is in: a table of symbols sorted by where they start.

    start   end     name
    7f30    8102    _dl_map_object_from_fd
    8102    8a2c    _dl_map_object

Among symbols that start at the same address one is kept, by the rules of perf (symbol.c,
symbols__fixup_duplicate), so that a recording read without perf gets the names perf prints.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NewType, TypeVar

import numpy as np
import polars as pl
from msgspec import Struct

from perfduck_model.arrays import Bool, Int64, UInt8, UInt64
from perfduck_symbols.intervals import Intervals

# Two ways to count where code is. They are equal in most libraries, and differ in programs that are
# linked to a fixed address: what is of one kind is converted where it is needed as the other.
Svmas = NewType("Svmas", UInt64)  # as the linker placed it: st_value, what kallsyms prints
FileOffsets = NewType("FileOffsets", UInt64)  # in the ELF file: address - start + pgoff of a map
Place = TypeVar("Place", bound=UInt64)

_PAGE = np.uint64(4096)


class _Run(Struct, frozen=True):
    """A string table of ELF, and what is put behind each name."""

    buffer: UInt8
    suffix: str


class Names(Struct, frozen=True):
    """Names that are looked at only if asked for: the buffer each is in, and its place there."""

    runs: tuple[_Run, ...]
    run_of: UInt8
    starts: Int64

    @classmethod
    def ending_in_zero(cls, buffer: UInt8, starts: Int64, suffix: str = "") -> "Names":
        """Names in a string table of ELF."""
        return cls((_Run(buffer, suffix),), np.zeros(len(starts), np.uint8), starts)

    def and_(self, other: "Names") -> "Names":
        """These, and others behind them."""
        return Names(
            self.runs + other.runs,
            np.concatenate((self.run_of, other.run_of + np.uint8(len(self.runs)))),
            np.concatenate((self.starts, other.starts)),
        )

    def at(self, index: int) -> str:
        """One name."""
        run = self.runs[int(self.run_of[index])]
        return self._raw(index).decode("utf-8", "backslashreplace") + run.suffix

    def _raw(self, index: int) -> bytes:
        run, start = self.runs[int(self.run_of[index])], int(self.starts[index])
        width = 256
        while True:
            raw = run.buffer[start : start + width].tobytes()
            end = raw.find(b"\0")
            if end >= 0 or start + width >= len(run.buffer):
                return raw[:end] if end >= 0 else raw
            width *= 8

    def take(self, indices: Int64 | Bool) -> "Names":
        """Some of the names."""
        return Names(self.runs, self.run_of[indices], self.starts[indices])


@dataclass(frozen=True)
class SymbolTable(Intervals[Place]):
    """Symbols sorted by start, at Svmas or FileOffsets. `name` decodes one: few of the many are
    ever asked for."""

    name: Callable[[int], str]


EMPTY: SymbolTable[Any] = SymbolTable(np.zeros(0, np.uint64), np.zeros(0, np.uint64), lambda _: "")


def page_behind(starts: UInt64) -> UInt64:
    """Where a symbol ends that nothing follows: with the page behind its own."""
    return (starts + _PAGE - np.uint64(1)) // _PAGE * _PAGE + _PAGE


def ends_of(starts: UInt64, sizes: UInt64) -> UInt64:
    """Where sorted symbols end: those without a size at the next one."""
    following = np.append(starts[1:], page_behind(starts[-1:]))
    return np.where(sizes == 0, following, starts + sizes)


class Aliases(Struct, frozen=True):
    """Symbols sorted by start, several at one address. Their names decide last, and only for few
    of them: a binary of Rust has 300,000 symbols, half of them aliases."""

    starts: UInt64
    scores: UInt8  # the least is the best
    names: Names

    def kept(self) -> Int64:
        """One symbol for each start: the first of those with the best score."""
        again = self.starts[1:] == self.starts[:-1]
        shared = np.append(again, False) | np.append(False, again)
        indices = np.flatnonzero(shared)
        ranked = indices[np.lexsort((indices, self.scores[indices], self.starts[indices]))]
        first = np.append(True, self.starts[ranked][1:] != self.starts[ranked][:-1])
        return np.sort(np.append(np.flatnonzero(~shared), ranked[first[: len(ranked)]]))

    def name(self, index: int, shown: Callable[[str], str] = str) -> str:
        """The best name of those with the same start and score, as it is `shown`: of `operator new`
        and `operator new[]`, whose mangled names are of one length, the longer one."""
        start, score = self.starts[index], self.scores[index]
        low = high = index
        while low and self.starts[low - 1] == start:
            low -= 1
        while high < len(self.starts) and self.starts[high] == start:
            high += 1
        several = range(low, high)
        rivals = [shown(self.names.at(one)) for one in several if self.scores[one] == score]
        return max(rivals, key=_preference)


def scores(starts: UInt64, ends: UInt64, weak: Bool, is_global: Bool) -> UInt8:
    """How good a symbol is among its aliases: with a length, not weak, global."""
    score: UInt8 = (4 * (ends == starts) + 2 * weak + ~is_global).astype(np.uint8)
    return score


def _preference(name: str) -> tuple[int, int]:
    """perf prefers the alias with fewer underscores in front, then the longer one: by the greatest
    of these."""
    return len(name.lstrip("_")) - len(name), len(name)


def preferred_first(size: str, name: str) -> list[pl.Expr]:
    """What to sort aliases by, where only their sizes and names are known: those with a size, then
    by _preference."""
    length, plain = (pl.col(name).str.len_bytes(), pl.col(name).str.strip_chars_start("_"))
    underscores = length.cast(pl.Int64) - plain.str.len_bytes()
    return [pl.col(size) == 0, underscores, -length.cast(pl.Int64), pl.col(name)]
