"""Call chain entries of `perf script`, whatever -F printed.

    \tffffffff8168df20 mod_memcg_lruvec_state+0xf0 ([kernel.kallsyms])
    \t    55884d0da3e7 <u64>::wrapping_mul+0x17 (inlined)
    \t    55884d0da3e7 <burn::Mul<31> as burn::Step>::step+0x17 (/opt/demo/burn-v0)

A name may hold blanks and parentheses, so that only the end of a line tells where it ends.
"""

import polars as pl

from perfduck_ingest.perf_script import grammar
from perfduck_ingest.perf_script.layout import LineLayout
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
    parsed = parsed.with_columns(
        is_sure=sure_dso.is_not_null(), dso=pl.coalesce(sure_dso, long("dso"))
    )
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


def _without_offset(dso: pl.Expr, layout: LineLayout) -> pl.Expr:
    """Offsets behind dsos are printed behind all or none: else they are a part of a file's name."""
    return dso.str.replace(grammar.DSO_OFFSET, "") if layout.dso_offsets else dso


def completed(frames: pl.DataFrame) -> pl.DataFrame:
    """The frames with their address: words for what is not known, -1 for no offset, and the
    address of frames without a name."""
    return frames.with_columns(_NAMED).with_columns(address=_ADDRESS)
