"""What the lines of `perf script` text say, as numbers: one row for each distinct frame.

A line's code is the row of the frame on it. The first rows stand for lines without a frame, one for
each kind of line.
"""

from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from perfduck_ingest.chains import SymbolInterner
from perfduck_ingest.perf_script import frame_lines
from perfduck_kernels.constants import FRAME_SLOTS_LOG2
from perfduck_kernels.hash_cache import HashCache
from perfduck_model.arrays import Int64, UInt32

BLANK, EVENT, FRAME, CGROUP, LOST, ASIDE, UNKNOWN = KINDS = range(7)

Columns = dict[str, npt.NDArray[Any]]

_COLUMNS = {
    "kind": np.uint8,  # of the line that the frame stands on
    "symbol_id": np.int64,
    "offset": np.int64,  # of the frame in its function; -1 where not printed
    "ip": np.uint32,  # of the frame, hashed: equal where the addresses are
    "lacks_dso": np.bool_,  # an inlined frame: its dso is that of the function around it
}
_IDENTITY = ("kind", "ip", "name", "dso", "offset", "lacks_dso")


class FrameTable:
    """The distinct frames of a text. Shared by threads."""

    def __init__(self, symbols: SymbolInterner) -> None:
        self._symbols = symbols
        self._codes = HashCache[np.uint32](np.uint32, FRAME_SLOTS_LOG2)
        self._lock = Lock()
        self._columns: Columns = {n: np.zeros(1 << 12, kind) for n, kind in _COLUMNS.items()}
        self._columns["kind"][: len(KINDS)] = KINDS
        self._length = len(KINDS)

    def __len__(self) -> int:
        return self._length

    @property
    def columns(self) -> Columns:
        """What each code means, for all codes so far."""
        return self._columns

    def codes(self, frames: pl.DataFrame) -> UInt32:
        """The code of each frame: kind, ip, name, dso, offset and lacks_dso."""

        def look_up(indices: Int64) -> UInt32:
            return self._added(frame_lines.completed(frames[indices]))

        return self._codes.of(frames.select(_IDENTITY).hash_rows().to_numpy(), look_up)

    def _added(self, frames: pl.DataFrame) -> UInt32:
        rows = {
            "kind": frames["kind"],
            "symbol_id": self._symbols.ids(frames.select("name", "dso", "address")),
            "offset": frames["offset"],
            "ip": frames["ip"].hash().to_numpy() >> np.uint64(32),
            "lacks_dso": frames["lacks_dso"],
        }
        with self._lock:
            start, end = self._length, self._length + len(frames)
            if end > len(self._columns["kind"]):
                self._columns = {n: np.resize(c, 2 * end) for n, c in self._columns.items()}
            for name, values in rows.items():
                self._columns[name][start:end] = values
            self._length = end
        return np.arange(start, end, dtype=np.uint32)
