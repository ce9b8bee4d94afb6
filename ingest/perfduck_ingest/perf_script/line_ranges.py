"""Which dso an address belongs to, by the frames that name one.

    \t          114a77 __GI___libc_write+0x17 (/usr/lib/x86_64-linux-gnu/libc.so.6)
    \t           8aeec _IO_new_file_write+0x2c (inlined)

perf names no dso for an inlined function: it is that of the function around it, which has the same
address. Aliases of libc's functions are printed as inlined with no such function beside them. Their
dso is the one that has frames below and above their address.
"""

from functools import cached_property

import numpy as np
import polars as pl

from perfduck_ingest.perf_script import frame_lines, grammar
from perfduck_ingest.perf_script.layout import LineLayout
from perfduck_model.arrays import UInt64
from perfduck_symbols.names import UNKNOWN

_IP = pl.col("ip").str.to_integer(base=16, dtype=pl.UInt64)
# perf before 6.12 prints offsets in files, so that the ranges of files overlap. Then a frame nearby
# tells, unless other files have frames that are not much farther off.
_MUCH_FARTHER = 16
_NOWHERE = np.uint64(1 << 63)


class DsoRanges:
    """The addresses of the frames of each dso in the first lines of a text: not in all of it, so
    that the answer does not depend on how it is cut into parts."""

    def __init__(self, lines: list[str], layout: LineLayout) -> None:
        self._lines = lines
        self._layout = layout

    def completed(self, frames: pl.DataFrame) -> pl.DataFrame:
        """The frames with the dso of those that lack one, as far as their address tells it."""
        lacking = frames.filter(pl.col("lacks_dso") & pl.col("dso").is_null())
        if lacking.is_empty() or not self._addresses:
            return frames
        ips = lacking.select(pl.col("ip").unique(maintain_order=True))
        owners = ips.with_columns(owner=self._owners(ips.select(_IP).to_series().to_numpy()))
        joined = frames.join(owners, on="ip", how="left", maintain_order="left")
        dso = pl.when("lacks_dso").then(pl.coalesce("dso", "owner")).otherwise("dso")
        return joined.with_columns(dso=dso).drop("owner")

    def _owners(self, ips: UInt64) -> pl.Series:
        """The dso of each address; null where none or several could be it."""
        distances = np.stack([_distances(known, ips) for known in self._addresses.values()])
        nearest, *others = np.sort(np.vstack([distances, np.full(len(ips), _NOWHERE)]), axis=0)
        is_sure = (nearest < _NOWHERE) & (nearest <= others[0] // np.uint64(_MUCH_FARTHER))
        dsos = pl.Series(list(self._addresses), dtype=pl.String)
        return pl.select(
            pl.when(pl.Series(is_sure)).then(dsos.gather(distances.argmin(axis=0)))
        ).to_series()

    @cached_property
    def _addresses(self) -> dict[str, UInt64]:
        """The addresses of each dso, sorted."""
        texts = pl.DataFrame({"text": self._lines}, schema={"text": pl.String}).unique()
        entries = (
            texts.with_row_index("code")
            .select("code", pl.col("text").str.extract_groups(grammar.FRAME).struct.unnest())
            .filter(pl.col("body").is_not_null())
        )
        frames = frame_lines.odd(entries, self._layout).filter(
            ~pl.col("lacks_dso") & (pl.col("dso") != UNKNOWN)
        )
        known = frames.group_by("dso").agg(_IP.unique().sort()).sort("dso")
        return {dso: np.asarray(ips, np.uint64) for dso, ips in known.rows()}


def _distances(known: UInt64, ips: UInt64) -> UInt64:
    """How far each address is from the next of the known ones, if it is between two of them."""
    above = np.searchsorted(known, ips)
    is_between = (above > 0) & (above < len(known))
    is_between |= known[np.minimum(above, len(known) - 1)] == ips
    over = known[np.minimum(above, len(known) - 1)] - ips
    under = ips - known[np.maximum(above - 1, 0)]
    return np.where(is_between, np.where(over == 0, over, np.minimum(over, under)), _NOWHERE)
