"""From counted functions to the columns that the store takes.

    event             comm    name          dso                  count  period
    CPU_CLK_UNHALTED  iperf3  ipt_do_table  [kernel.kallsyms]      118  51304392.6

OProfile counts hits of addresses and arcs between functions. A hit becomes a sample with a stack of
one frame, an arc becomes an edge: no stack is made up.
"""

import polars as pl

from perfduck_model.batch import (
    EDGE,
    LEAF_OFFSET,
    SAMPLE,
    SKIPPED,
    STACK,
    SYMBOL,
    Batch,
    Facts,
    Schema,
)
from perfduck_model.errors import PerfduckError
from perfduck_model.identity import stack_id, symbol_id

HIT: Schema = {
    "event": pl.String,
    "comm": pl.String,
    "pid": pl.Int32,
    "tid": pl.Int32,
    "cpu": pl.Int32,
    "name": pl.String,
    "dso": pl.String,
    "address": pl.Int64,
    "offset": pl.Int64,  # of the hit instruction in the function; null where not known
    "count": pl.Int64,
    "period": pl.Float64,  # of all hits of the row
}
ARC: Schema = {
    "event": pl.String,
    "caller_name": pl.String,
    "caller_dso": pl.String,
    "caller_address": pl.Int64,
    "callee_name": pl.String,
    "callee_dso": pl.String,
    "callee_address": pl.Int64,
    "count": pl.Int64,
    "period": pl.Float64,
}
_FUNCTION = ["name", "dso", "address"]
_SUMMED = ["count", "period"]
_MOST = 1 << 62  # of counts and periods: the store has 63 bits


def to_batch(
    name: str,
    hits: pl.DataFrame,
    arcs: pl.DataFrame | None = None,
    skipped: list[tuple[int, str, str]] | None = None,
    facts: Facts | None = None,
    details: pl.DataFrame | None = None,
) -> Batch:
    """The rows of HIT and ARC, skipped (line, text, reason) and facts as one part of a profile.
    `details` are hits once more, where only they are known by their offset. Counts or numbers of
    the facts that the store cannot hold are a PerfduckError of the recording `name`."""
    arcs = pl.DataFrame(schema=ARC) if arcs is None else arcs
    _check_sums(name, hits, arcs, facts or Facts())
    symbols = _symbols(hits, arcs)
    numbered = hits.join(symbols, on=_FUNCTION, how="left", nulls_equal=True)
    detailed = numbered
    if details is not None and not details.is_empty():
        detailed = details.join(symbols, on=_FUNCTION, how="inner", nulls_equal=True)
    return Batch(
        samples=_samples(numbered),
        symbols=symbols.select(*SYMBOL),
        stacks=_stacks(numbered),
        leaf_offsets=_leaf_offsets(detailed),
        edges=_edges(arcs, symbols),
        skipped=pl.DataFrame(skipped or [], schema=SKIPPED, orient="row"),
        facts=facts or Facts(),
    )


def _check_sums(name: str, hits: pl.DataFrame, arcs: pl.DataFrame, facts: Facts) -> None:
    sums = [rows[column].cast(pl.Float64).sum() for rows in (hits, arcs) for column in _SUMMED]
    for number in (*sums, facts.raw_samples or 0, facts.lost):
        if not number < _MOST:
            raise PerfduckError.at(
                name, expected="counts and periods of at most 62 bits", got=f"{number:.3g}"
            )


def _functions(arcs: pl.DataFrame, side: str) -> pl.DataFrame:
    return arcs.select(pl.col(f"{side}_{column}").alias(column) for column in _FUNCTION)


def _symbols(hits: pl.DataFrame, arcs: pl.DataFrame) -> pl.DataFrame:
    """The distinct functions, with their ids and the ids of the stacks of them alone."""
    sides = [hits.select(_FUNCTION), _functions(arcs, "caller"), _functions(arcs, "callee")]
    functions = pl.concat(sides).unique().sort(_FUNCTION)
    symbol_ids = [symbol_id(*function) for function in functions.iter_rows()]
    stack_ids = [stack_id([number]) for number in symbol_ids]
    return functions.with_columns(
        pl.Series("symbol_id", symbol_ids, pl.Int64),
        pl.Series("stack_id", stack_ids, pl.Int64),
    )


def _stacks(numbered: pl.DataFrame) -> pl.DataFrame:
    leaves = numbered.select("stack_id", "symbol_id").unique().sort("stack_id")
    return leaves.select("stack_id", symbol_ids=pl.concat_list("symbol_id")).cast(pl.Schema(STACK))


def _samples(numbered: pl.DataFrame) -> pl.DataFrame:
    keys = ["stack_id", "event", "comm", "pid", "tid", "cpu"]
    summed = numbered.group_by(keys).agg(pl.col("count").sum(), _sum_or_null("period"))
    return (
        summed.sort(keys)
        .with_columns(
            cgroup=pl.lit(None, pl.String),
            netns=pl.lit(None, pl.Int64),
            time_ns=pl.lit(None, pl.Int64),
            period=pl.col("period").round().cast(pl.Int64),
        )
        .select(*SAMPLE)
    )


def _sum_or_null(column: str) -> pl.Expr:
    """The sum; null, not 0, where nothing was recorded."""
    return pl.when(pl.col(column).count() > 0).then(pl.col(column).sum())


def _leaf_offsets(numbered: pl.DataFrame) -> pl.DataFrame:
    keys = ["event", "symbol_id", "offset"]
    weight = pl.coalesce("period", pl.col("count").cast(pl.Float64))
    with_offset = numbered.filter(pl.col("offset").is_not_null()).with_columns(weight=weight)
    summed = with_offset.group_by(keys).agg(pl.col("count").sum(), pl.col("weight").sum())
    return summed.sort(keys).select(*LEAF_OFFSET)


def _edges(arcs: pl.DataFrame, symbols: pl.DataFrame) -> pl.DataFrame:
    for side in ("caller", "callee"):
        ids = symbols.select(
            *(pl.col(column).alias(f"{side}_{column}") for column in _FUNCTION),
            pl.col("symbol_id").alias(f"{side}_id"),
        )
        columns = [f"{side}_{column}" for column in _FUNCTION]
        arcs = arcs.join(ids, on=columns, how="left", nulls_equal=True)
    keys = ["event", "caller_id", "callee_id"]
    summed = arcs.group_by(keys).agg(pl.col("count").sum(), _sum_or_null("period"))
    period = pl.col("period").round().cast(pl.Int64)
    return summed.sort(keys).with_columns(period=period).select(*EDGE)
