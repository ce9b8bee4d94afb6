"""The columns of the frames that methods of the protocol answer with, and what may be in them.

What a server sends is held to this before anything is worked out of it: a column of another type, a
null or a weight of nan would be an error far from here, or a wrong answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from perfduck_store.choice import By


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds. `is_amount`: finite numbers of 0 or more; `is_key`: each value once, in
    order; `is_run`: places in the profiles of a choice."""

    kind: pl.DataType | type[pl.DataType]
    can_be_null: bool = False
    is_amount: bool = False
    is_key: bool = False
    is_run: bool = False


Columns = Mapping[str, Column]

_KEY = Column(pl.Int64, is_key=True)
_ID, _NUMBER, _SHARE = Column(pl.Int64), Column(pl.Int64, can_be_null=True), Column(pl.Float64)
_SMALL_NUMBER = Column(pl.Int32, can_be_null=True)
_SAID_SHARE = Column(pl.Float64, can_be_null=True)
_RUN = Column(pl.Int32, is_run=True)
_IDS = Column(pl.List(pl.Int64))
_TEXT, _SAID = Column(pl.String), Column(pl.String, can_be_null=True)
_AMOUNT, _COUNT = Column(pl.Float64, is_amount=True), Column(pl.Int64, is_amount=True)
_PLACE = Column(pl.UInt64)

_ROLLUP = {"run": _RUN, "stack_id": _ID, "weight": _AMOUNT, "hits": _AMOUNT}
_TAGS = {"area": _TEXT, "subsystem": _TEXT}
# A share of what is ranked is a difference of sums, and may be a little below 0.
_WEIGHTS = {"self": _SHARE, "total": _SHARE, "blamed": _SHARE, "row_count": _COUNT}
_RANKED: dict[By, Columns] = {  # what goes with the key
    "function": {"dso": _TEXT, "subsystem": _TEXT},
    "path": {"subsystem": _TEXT},
    "subsystem": {"area": _TEXT},
    "program": {"type": _SAID, "subsystem": _SAID},
    "pod": {"containers": _SAID},
}
_SYMBOL = {
    "symbol_id": _KEY, "name": _TEXT, "dso": _TEXT, "address": _NUMBER, "canonical": _TEXT,
    "source_file": _SAID, **_TAGS, "role": _TEXT, "tagged_by": _TEXT, "class": _TEXT,
}  # fmt: skip
_FRAMES: dict[str, Columns] = {
    "samples.rollup": _ROLLUP,
    "samples.by_pod": {"run": _RUN, "stack_id": _ID, "pod": _TEXT, "weight": _AMOUNT,
                       "hits": _AMOUNT},
    "samples.by_netns": {"run": _RUN, "stack_id": _ID, "netns": _TEXT, "weight": _AMOUNT,
                         "hits": _AMOUNT},
    "samples.stacks": {"stack_id": _KEY, "symbol_ids": _IDS, "subsystem": _TEXT,
                       "direction": _TEXT},
    "samples.programs": {"stack_id": _KEY, "program": _TEXT},
    "samples.calls": {"function": _TEXT, "dso": _TEXT, "subsystem": _TEXT, "total": _SHARE,
                      "share": _SHARE, "once": _SAID_SHARE, "row_count": _COUNT},
    "samples.timeline": {"run": _RUN, "bucket": _ID, "hits": _COUNT},
    "samples.chains": {"stack_id": _KEY, "symbol_ids": _IDS, "blamed": _TEXT, "context": _TEXT,
                       "direction": _SAID},
    "samples.functions": {"symbol_id": _KEY, "name": _TEXT, "dso": _TEXT, "address": _NUMBER,
                          "source_file": _SAID, **_TAGS, "class": _TEXT, "build_id": _SAID},
    "samples.samples": {"stack_id": _ID, "comm": _SAID, "pid": _SMALL_NUMBER,
                        "tid": _SMALL_NUMBER, "cpu": _SMALL_NUMBER, "cgroup": _SAID,
                        "netns": _NUMBER, "time_ns": _NUMBER, "weight": _COUNT, "hits": _COUNT},
    "symbols.tagged": {"symbol_id": _KEY, "name": _TEXT, "dso": _TEXT, "canonical": _TEXT, **_TAGS,
                       "role": _TEXT, "class": _TEXT},
    "symbols.all": _SYMBOL,
    "symbols.called": {**_SYMBOL, "symbol_id": _ID},
    "symbols.of_kernel": {"profile_id": _ID, "symbol_id": _ID, "name": _TEXT, "dso": _TEXT,
                          "address": _NUMBER},
    "symbols.stacks": {"stack_id": _KEY, "symbol_ids": _IDS},
    "symbols.functions_of": {"dso": _TEXT, "build_id": _SAID, "address": _PLACE, "offset": _PLACE,
                             "size": _PLACE, "name": _TEXT, "section": _SAID,
                             "source_file": _SAID},
    "symbols.binaries": {"dso": _TEXT, "build_id": _SAID, "functions": _COUNT,
                         "with_source": _COUNT},
    "symbols.leaf_offsets": {"profile_id": _ID, "event": _TEXT, "symbol_id": _ID, "offset": _ID,
                             "count": _COUNT, "weight": _AMOUNT},
    "noise.all": {"host_class": _TEXT, "workload": _TEXT, "unit": _TEXT, "subsystem": _TEXT,
                  "cv": _AMOUNT, "phi": _AMOUNT, "freedom": _AMOUNT, "runs": _COUNT},
}  # fmt: skip


def columns_of(method: str, arguments: Mapping[str, Any]) -> Columns:
    """The columns of a frame, in order: `method` with its service, as in samples.rank."""
    if method == "samples.rank":
        by: By = arguments["by"]
        return {by: _TEXT, **_RANKED.get(by, {}), **_WEIGHTS}
    return _FRAMES[method]


def check(frame: pl.DataFrame, columns: Columns, runs: int) -> None:
    """Raise ValueError for a frame that has not these columns, or in them what they do not hold.
    `runs`: how many profiles the choice has."""
    if frame.columns != list(columns):
        message = f"expected a frame of {', '.join(columns)}, got one of other columns"
        raise ValueError(message)
    for name, column in columns.items():
        if wrong := _wrong(frame[name], column, runs):
            message = f"expected column {name} with {wrong}, got other values"
            raise ValueError(message)


def _wrong(values: pl.Series, column: Column, runs: int) -> str | None:
    """What the values should be, where they are not."""
    if values.dtype != column.kind:
        return f"values of type {column.kind}"
    if values.null_count() and not column.can_be_null:
        return "a value in each row"
    if column.kind == pl.Float64 and not values.drop_nulls().is_finite().all():
        return "finite numbers"
    if column.is_amount and (values < 0).any():
        return "amounts of 0 or more"
    if column.is_run and not values.is_between(0, runs - 1).all():
        return f"runs below {runs}"
    if column.is_key and not (values.diff().drop_nulls() > 0).all():
        return "each id once, in order"
    if column == _IDS and _lacks_ids(values):
        return "one id or more in each row"
    return None


def _lacks_ids(lists: pl.Series) -> bool:
    return bool((lists.list.len() == 0).any()) or bool(lists.explode().null_count())
