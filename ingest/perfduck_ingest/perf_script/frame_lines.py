"""Call chain entries of `perf script`, for any -F, and the dso of those that name none.

    \tffffffff8168df20 mod_memcg_lruvec_state+0xf0 ([kernel.kallsyms])
    \t    55884d0da3e7 <u64>::wrapping_mul+0x17 (inlined)
    \t    55884d0da3e7 <burn::Mul<31> as burn::Step>::step+0x17 (/opt/demo/burn-v0)
    \t          114a77 __GI___libc_write+0x17 (/usr/lib/x86_64-linux-gnu/libc.so.6)
    \t           8aeec _IO_new_file_write+0x2c (inlined)

A name may hold blanks and parentheses, so that only the end of a line tells where it ends.

perf names no dso for an inlined function: it is that of the function around it, which has the same
address. Aliases of libc's functions are printed as inlined with no such function beside them. Their
dso is the one that has frames below and above their address.
"""

from functools import cached_property

import numpy as np
import polars as pl

from perfduck_ingest.perf_script import grammar
from perfduck_ingest.perf_script.layout import LineLayout
from perfduck_model.arrays import UInt64
from perfduck_symbols.names import FILE, KERNEL, LOW, NOT_A_FILE, UNKNOWN

_KERNEL_DSO = r"^\[(?:kernel|guest\.kernel)\b"
_HIGH_HALF = r"^ffff[0-9a-f]{12}$"
# As they are in the text; tail is the cgroup behind a frame on an event line.
_FRAME = ("code", "ip", "name", "dso", "offset", "lacks_dso", "tail")
_NAMED = (
    pl.col("name").replace("", None).fill_null(UNKNOWN),
    pl.col("dso").replace("", None).fill_null(UNKNOWN),  # '()': perf 3.x
    pl.col("offset").str.to_integer(base=16, strict=False).fill_null(-1),
)
_IP = pl.col("ip").str.to_integer(base=16, dtype=pl.UInt64)
_IS_IN_KERNEL = pl.col("dso").str.contains(_KERNEL_DSO)
_IS_IN_FILE = (
    pl.col("dso").str.contains(FILE) & ~pl.col("dso").str.contains(NOT_A_FILE) & (_IP < LOW)
)
# Where in the dso a frame without a name lies, if that means anything in another run.
_ADDRESS = pl.when((pl.col("name") == UNKNOWN) & (_IS_IN_KERNEL | _IS_IN_FILE)).then(
    _IP.reinterpret(signed=True)
)


def plain(lines: pl.DataFrame, layout: LineLayout) -> pl.DataFrame:
    """The columns of _FRAME for the lines that are as plain as nearly all of them."""
    groups = pl.col("text").str.extract_groups(grammar.PLAIN_FRAME).struct.unnest()
    return (
        lines.select("code", groups, lacks_dso=pl.lit(value=False), tail=pl.lit(None, pl.String))
        .filter(pl.lit(layout.dso) & pl.col("ip").is_not_null() & (pl.col("dso") != "inlined"))
        .select(_FRAME)
    )


def odd(entries: pl.DataFrame, layout: LineLayout) -> pl.DataFrame:
    """The columns of _FRAME for the rows of [code, ip, body]."""
    body = pl.col("body")
    with_dso = body if layout.dso else pl.lit(None, pl.String)
    parsed = entries.with_columns(
        with_dso.str.extract_groups(grammar.BODY_WITH_OFFSET).alias("sure"),
        with_dso.str.extract_groups(grammar.BODY_WITH_DSO).alias("long"),
        body.str.extract_groups(grammar.BODY).alias("short"),
    )
    sure, long, short = (pl.col(name).struct.field for name in ("sure", "long", "short"))
    sure_dso = pl.coalesce(sure("dso"), sure("odd_dso"))
    parsed = parsed.with_columns(is_sure=sure_dso.is_not_null())
    if layout.dso:
        parsed = _with_odd_dsos(parsed)
    parsed = parsed.with_columns(dso=pl.coalesce(sure_dso, long("dso")))
    dso = pl.col("dso")
    has_dso = dso.is_not_null() & (dso != "inlined")
    guess = pl.when(pl.col("ip").str.contains(_HIGH_HALF)).then(pl.lit(KERNEL))

    def of_body(field: str) -> pl.Expr:
        without_dso = long(field) if field == "tail" else short(field)
        return (
            pl.when("is_sure")
            .then(sure(field))
            .when(dso.is_not_null())
            .then(long(field))
            .otherwise(without_dso)
        )

    return parsed.with_columns(
        name=of_body("name"),
        dso=pl.when(has_dso).then(_without_offset(dso, layout)).otherwise(guess),
        offset=of_body("offset"),
        lacks_dso=(pl.lit(layout.dso) & ~has_dso).fill_null(value=layout.dso),
        tail=of_body("tail"),
    ).select(_FRAME)


def _with_odd_dsos(parsed: pl.DataFrame) -> pl.DataFrame:
    """`long` parsed again where a dso has a parenthesis without its other one."""
    long = pl.col("long").struct.field
    is_odd = ~pl.col("is_sure") & (
        long("dso").is_null() | long("name").str.contains(grammar.ODD_NAME)
    )
    body = pl.when(is_odd.fill_null(value=False)).then("body")
    frames = parsed.with_columns(body.str.extract_groups(grammar.BODY_WITH_ODD_DSO).alias("again"))
    odd = pl.col("again").struct.field
    dso = pl.coalesce(odd("dso"), odd("other_dso"), odd("only_dso"))
    return frames.with_columns(
        pl.when(dso.is_not_null())
        .then(
            pl.struct(
                pl.coalesce(odd("name"), odd("other_name")).alias("name"),
                pl.lit(None, pl.String).alias("offset"),
                dso.alias("dso"),
                pl.lit(None, pl.String).alias("tail"),
            )
        )
        .otherwise("long")
        .alias("long")
    ).drop("again")


def _without_offset(dso: pl.Expr, layout: LineLayout) -> pl.Expr:
    """Offsets behind dsos are printed behind all or none: else they are a part of a file's name."""
    return dso.str.replace(grammar.DSO_OFFSET, "") if layout.dso_offsets else dso


def completed(frames: pl.DataFrame) -> pl.DataFrame:
    """The frames with their address: words for what is not known, -1 for no offset, and the
    address of frames without a name."""
    return frames.with_columns(_NAMED).with_columns(address=_ADDRESS)


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
        distances = np.stack([_distances(addresses, ips) for addresses in self._addresses.values()])
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
        frames = odd(entries, self._layout).filter(
            ~pl.col("lacks_dso") & (pl.col("dso") != UNKNOWN)
        )
        by_dso = frames.group_by("dso").agg(_IP.unique().sort()).sort("dso")
        return {dso: np.asarray(ips, np.uint64) for dso, ips in by_dso.rows()}


def _distances(known: UInt64, ips: UInt64) -> UInt64:
    """How far each address is from the next of the known ones, if it is between two of them."""
    above = np.searchsorted(known, ips)
    is_between = (above > 0) & (above < len(known))
    is_between |= known[np.minimum(above, len(known) - 1)] == ips
    over = known[np.minimum(above, len(known) - 1)] - ips
    under = ips - known[np.maximum(above - 1, 0)]
    return np.where(is_between, np.where(over == 0, over, np.minimum(over, under)), _NOWHERE)
