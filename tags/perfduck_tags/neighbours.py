"""Source files from the order of functions: the linker puts the functions of a file side by side.

    ffffffff82159000 br_handle_frame_finish   net/bridge/br_input.c  known
    ffffffff821599d0 br_of_tomorrow           net/bridge/br_input.c  new, between two of one file
    ffffffff82159c00 br_handle_frame          net/bridge/br_input.c  known

Anchors are names with one source file in all catalogued kernels. An ambiguous name takes the
candidate that a neighbour has, then the one in a neighbour's directory. A new name takes the file,
or at least the tag, that both neighbours share. Nearest neighbour alone is right for 17 to 45 % of
what lies between two files, so nothing is said there.
"""

import polars as pl

from perfduck_symbols import names
from perfduck_symbols.kallsyms import Kallsyms
from perfduck_tags.catalogue import Catalogue
from perfduck_tags.rules import Rules

# Padding, trampolines and trace stubs lie among the functions and belong to no file's order.
_NOT_IN_ORDER = (
    r"^(__pfx_|__cfi_|__SC[TK]__|__traceiter_|__probestub_|__bpf_trace_|perf_trace_|do_perf_trace_"
    r"|trace_event_raw_event_|do_trace_event_raw_event_|trace_raw_output_)"
)


_WHOLE, _FOLDER = r"^(.*)$", r"^(.*/)"


def locate(
    kallsyms: Kallsyms, catalogue: Catalogue, rules: Rules, release: str | None
) -> pl.DataFrame:
    """What the order of vmlinux' functions adds to the catalogue: [module, name, source, certain,
    method] (kernel.LOCATED). A name that is in several places is listed if all are settled."""
    order = _order(kallsyms)
    candidates = order.join(
        catalogue.candidates(order["symbol"], release), left_on="symbol", right_on="name"
    ).select("place", "source", "age")
    beside = _beside(order, candidates)
    places = pl.concat([_ambiguous(beside, candidates), _new(beside, candidates, rules)])
    return _settled(order, candidates, places)


def _order(kallsyms: Kallsyms) -> pl.DataFrame:
    """[place, name, symbol] of vmlinux' functions by address."""
    own = kallsyms.symbols.filter(
        pl.col("module").is_null() & ~pl.col("name").str.contains(_NOT_IN_ORDER)
    )
    plain = names.plain(pl.col("name")).alias("symbol")
    return own.select("name", plain).with_row_index("place")


def _beside(order: pl.DataFrame, candidates: pl.DataFrame) -> pl.DataFrame:
    """[place, before, after]: the source of the anchors before and behind every place."""
    anchors = candidates.group_by("place").agg(pl.col("source").first(), pl.len()).filter(
        pl.col("len") == 1
    )  # fmt: skip
    placed = order.select("place").join(anchors, on="place", how="left", maintain_order="left")
    source = pl.col("source")
    return placed.select(
        "place",
        source.shift(1).forward_fill().alias("before"),
        source.shift(-1).backward_fill().alias("after"),
    )


def _ambiguous(beside: pl.DataFrame, candidates: pl.DataFrame) -> pl.DataFrame:
    several = candidates.filter(pl.len().over("place") > 1).join(beside, on="place")
    nearest = several.filter(pl.col("age") == pl.col("age").min().over("place"))
    copies = nearest.filter(pl.len().over("place") > 1)
    # Kernels disagree about a function's file: it moved, and where half a file moved along, its
    # neighbours did too. Only an anchor of the old file on both sides is a proof.
    moved = several.join(copies, on="place", how="anti")
    between = (pl.col("source") == pl.col("before")) & (pl.col("source") == pl.col("after"))
    by_file = _only(copies.filter(_shared(_WHOLE)))
    by_folder = _only(copies.filter(_shared(_FOLDER))).join(by_file, on="place", how="anti")
    return pl.concat([_only(moved.filter(between)), by_file, by_folder])


def _shared(part: str) -> pl.Expr:
    """Whether the source has this part of its path in common with a neighbour's."""
    source, before, after = (pl.col(n).str.extract(part) for n in ("source", "before", "after"))
    return (source == before) | (source == after)


def _only(rows: pl.DataFrame) -> pl.DataFrame:
    single = rows.filter(pl.len().over("place") == 1)
    return single.select("place", "source", pl.lit(value=True).alias("certain"))


def _new(beside: pl.DataFrame, candidates: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    between = beside.join(candidates, on="place", how="anti").drop_nulls()
    same_file = pl.col("before") == pl.col("after")
    before, after = (_tags(rules, between[side]) for side in ("before", "after"))
    return between.with_columns(before.alias("_before"), after.alias("_after")).filter(
        same_file | (pl.col("_before") == pl.col("_after"))
    ).select("place", pl.col("before").alias("source"), same_file.alias("certain"))  # fmt: skip


def _tags(rules: Rules, sources: pl.Series) -> pl.Series:
    empty = pl.lit(None, pl.String)
    rows = pl.DataFrame({"source": sources}).with_columns(
        empty.alias("module"), empty.alias("symbol"), empty.alias("dso")
    )
    return rules.classify(rows).select(pl.struct("area", "subsystem", "role")).to_series()


def _settled(order: pl.DataFrame, candidates: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    anchors = candidates.filter(pl.len().over("place") == 1)
    counts = order.join(anchors, on="place", how="left").join(places, on="place", how="left")
    whole = pl.coalesce("source", "source_right").is_not_null().all().over("name")
    new = pl.col("source_right").is_not_null().any().over("name")
    return counts.filter(whole & new).select(
        pl.lit(None, pl.String).alias("module"), "name",
        pl.coalesce("source", "source_right").alias("source"),
        pl.col("certain").fill_null(value=True), pl.lit("neighbour").alias("method"),
    )  # fmt: skip
