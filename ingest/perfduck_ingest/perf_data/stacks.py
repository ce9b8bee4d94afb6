"""Chains of addresses to stacks, by way of their pieces: the same piece is worked out once.

Chains of other addresses lead to the same stack, too: a function is hit in many places, and every
process has its libraries elsewhere. So a stack is known by the symbols of its pieces.
"""

import numpy as np
import numpy.typing as npt
import polars as pl

from perfduck_ingest.chains import ranges, stack_rows
from perfduck_ingest.memo import Memo
from perfduck_ingest.perf_data.byte_order import Integers, Words
from perfduck_ingest.perf_data.dsos import NO_OFFSET, Symbols, pack
from perfduck_ingest.perf_data.frames import Frames
from perfduck_ingest.perf_data.maps import MapsAt
from perfduck_ingest.perf_data.pieces import NO_FRAME, WIDTH, Pieces
from perfduck_store.batch import STACK
from perfduck_symbols.names import UNKNOWN

# 8 MB each.
_PIECE_BITS = 18
_STACK_BITS = 19
# 32 bytes with the hash. Symbols are numbers, and -1 where the piece has no frame.
_PIECE = np.dtype([("leaf", np.int64), ("symbols", np.int32, WIDTH)])
_SPREAD = np.uint64(0x9E3779B97F4A7C17)
_LENGTH_SPREAD = np.uint64(0xE7037ED1A0B428DB)
_HALF = np.uint64(32)


class Stacks:
    """Makes stacks of the chains of samples; each is told to the store at least once."""

    def __init__(self, frames: Frames, symbols: Symbols) -> None:
        self._frames = frames
        self._symbols = symbols
        self._known = Memo[np.int64](np.int64, _STACK_BITS)
        self._untold: list[pl.DataFrame] = []
        self.forget_chains()

    def forget_chains(self) -> None:
        """Their addresses may mean something else from here on."""
        self._known_pieces = Memo[np.void](_PIECE, _PIECE_BITS)

    def told(self) -> pl.DataFrame:
        """The stacks that are new since this was asked last."""
        told = pl.concat([pl.DataFrame(schema=STACK), *self._untold])
        self._untold = []
        return told

    def of(self, pieces: Pieces, maps: MapsAt) -> tuple[Integers, Integers]:
        """The stack id of each sample, and its leaf (symbol number and offset, packed)."""
        found = self._known_pieces.of(
            pieces.keys, lambda places: self._work_out(pieces, places, maps)
        )
        leaves = found["leaf"][np.cumsum(pieces.counts) - pieces.counts]
        ids = self._ids(np.ascontiguousarray(found["symbols"]), pieces.counts)
        return ids[pieces.chains], leaves[pieces.chains]

    def _work_out(self, pieces: Pieces, places: Integers, maps: MapsAt) -> npt.NDArray[np.void]:
        frames = pieces.frames.take(places, axis=1)
        is_frame = frames != NO_FRAME
        spaces = np.broadcast_to(pieces.spaces[places], frames.shape)
        packed = np.full(frames.shape, -1, np.int64)
        packed[is_frame] = self._frames.resolve(frames[is_frame], spaces[is_frame], maps)
        if not is_frame[-1].all():
            nothing = self._symbols.number([(UNKNOWN, UNKNOWN, None)])
            packed[-1, ~is_frame[-1]] = pack(nothing, NO_OFFSET)
        made = np.empty(len(places), _PIECE)
        made["leaf"] = packed[(packed < 0).sum(axis=0), np.arange(len(places))]
        made["symbols"] = (packed >> 32).T
        return made

    def _ids(self, symbols: npt.NDArray[np.int32], counts: Integers) -> Integers:
        """The ids of stacks, of the symbols of their pieces."""
        starts = np.cumsum(counts) - counts

        def look_up(places: Integers) -> Integers:
            return self._tell(symbols[ranges(starts[places], counts[places])], counts[places])

        return self._known.of(_keys(symbols, starts, counts), look_up)

    def _tell(self, symbols: npt.NDArray[np.int32], counts: Integers) -> Integers:
        is_frame = symbols >= 0
        ids = self._symbols.ids(symbols[is_frame])
        lengths = np.add.reduceat(is_frame.sum(axis=1), np.cumsum(counts) - counts)
        told = stack_rows(ids, lengths)
        self._untold.append(told)
        return told["stack_id"].to_numpy()


def _keys(symbols: npt.NDArray[np.int32], starts: Integers, counts: Integers) -> Words:
    """The same for the same symbols: a polynomial over the pieces."""
    halves = symbols.view(np.uint64)
    terms = _mixed(_mixed(halves[:, 0]) + halves[:, 1])
    powers = np.full(int(counts.max()), _SPREAD)
    terms *= np.multiply.accumulate(powers)[np.arange(len(terms)) - np.repeat(starts, counts)]
    keys: Words = np.add.reduceat(terms, starts) + counts.view(np.uint64) * _LENGTH_SPREAD
    return keys


def _mixed(words: Words) -> Words:
    """A product carries upwards only: without the shift, the upper number of a word would count for
    half of the key."""
    words = words * _SPREAD
    words ^= words >> _HALF
    return words
