"""What a store that somebody else made may hold: what an importer could have said. DuckDB keeps any
value of a column's type: a duration of nan, a label without a key, a sample of no stack.
"""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from perfduck.attachments import is_kind
from perfduck.manifest import checked_work
from perfduck_ingest.labels import checked, checked_value
from perfduck_ingest.work import AN_AMOUNT
from perfduck_model.batch import Batch, Facts
from perfduck_model.errors import PerfduckError
from perfduck_store.draft import Draft

_HASH = re.compile("[0-9a-f]{32}")  # xxh3-128
_TEXTS = ("name", "format", "source")
_NO_LESS_THAN = {"cpus": 1, "lost": 0, "raw_samples": 0}
_YEARS = range(2, 9999)  # DuckDB hands out infinity as the end of 9999, -infinity as 0001
_MOST = 1 << 62  # of a column's sum: it is kept in 63 bits
_MOST_S = (1 << 63) / 1e9  # times are nanoseconds of 63 bits
_OPTIONAL = ("comm", "pid", "tid", "cpu", "cgroup", "netns", "time_ns", "period", "address")
_AMOUNTS = ("count", "period", "weight")
_SYMBOL_COLUMNS = {"leaf_offsets": ("symbol_id",), "edges": ("caller_id", "callee_id")}
_FRAMES = ("samples", "symbols", "stacks", "leaf_offsets", "edges", "skipped")


def check_said(path: Path, said: Mapping[str, Any]) -> None:
    """Raise PerfduckError where the row of the profile has what no importer says."""
    with _values_of(path):
        for column in _TEXTS:
            _expect(column, "a text", said[column], isinstance(said[column], str))
        content = said["content_hash"]
        _expect("content_hash", "32 hex digits", content, _HASH.fullmatch(str(content)))
        for column, least in _NO_LESS_THAN.items():
            _expect_number(column, said[column], least)
        length = said["duration_s"]
        _expect_number("duration_s", length, 0)
        _expect("duration_s", "less than 292 years", length, (length or 0) < _MOST_S)
        at = said["started_at"]
        is_time = at is None or (isinstance(at, datetime) and at.year in _YEARS)
        _expect("started_at", "a time of the years to 9998", at, is_time)
        _check_work(said["work"], said["work_unit"])
        _check_labels(said["labels"])


def check_facts(path: Path, facts: Facts) -> None:
    """Raise PerfduckError for an event or a limitation of impossible numbers."""
    with _values_of(path):
        for event in facts.events.values():
            _expect("unit", "a text", event.unit, isinstance(event.unit, str))
            _expect_number("frequency", event.frequency, 0)
        for limitation in facts.limitations.values():
            _expect_number("limitation.samples", limitation.samples, 0)


def check_kind(path: Path, kind: str) -> None:
    """Raise PerfduckError for an attachment of no kind."""
    with _values_of(path):
        _expect("attachment.kind", "a word, as in iptables", kind, is_kind(kind))


def check_rows(path: Path, batch: Batch, draft: Draft) -> None:
    """Raise PerfduckError for counts, times and ids of the batch that no importer makes. `draft`:
    has the symbols and stacks that the rows refer to."""
    with _values_of(path):
        for name in _FRAMES:
            frame = getattr(batch, name)
            if not frame.is_empty():
                _check_frame(frame)
                for column in _SYMBOL_COLUMNS.get(name, ()):
                    _check_ids(frame[column], draft.symbols["symbol_id"])
        if not batch.samples.is_empty():
            _check_ids(batch.samples["stack_id"], draft.stacks["stack_id"])


@contextmanager
def _values_of(path: Path) -> Iterator[None]:
    """Errors of what is read of the store within name the store."""
    try:
        yield
    except PerfduckError as error:
        message = f"{path.name}: {error}"
        raise PerfduckError(message) from error


def _check_frame(frame: pl.DataFrame) -> None:
    for column in frame.columns:
        if column not in _OPTIONAL:
            _expect(column, "a value in each row", "null", not frame[column].null_count())
    if "symbol_ids" in frame.columns:
        frames = frame["symbol_ids"].explode(empty_as_null=False)
        _expect("symbol_ids", "an id of each frame", "null", not frames.null_count())
    for column in (name for name in _AMOUNTS if name in frame.columns):
        values = frame[column].cast(pl.Float64).drop_nulls()
        if not len(values):
            continue
        least, total = float(values.to_numpy().min()), float(values.sum())
        is_amount = least >= 0 and total < _MOST
        _expect(column, "amounts of 0 or more that add up to less than 2^62", total, is_amount)
    if "time_ns" in frame.columns:
        first = frame["time_ns"].min()
        _expect("time_ns", "times of 0 or more", first, first is None or int(str(first)) >= 0)


def _check_ids(ids: pl.Series, known: pl.Series) -> None:
    there = ids.is_in(known.implode()).all()
    _expect(ids.name, "ids that are in the store", "others", there)


def _check_work(amount: Any, unit: Any) -> None:
    if amount is None:
        return
    try:
        checked_work(amount, unit)
    except ValueError:
        _expect("work", f"{AN_AMOUNT}, and its unit", f"{amount} {unit}".strip(), False)


def _check_labels(labels: Any) -> None:
    _expect("labels", "labels", labels, isinstance(labels, dict))
    for key, value in labels.items():
        are_texts = isinstance(key, str) and isinstance(value, str)
        _expect("label", "texts", f"{key}={value}", are_texts)
        _expect("label", "a key without =", f"{key}={value}", key and "=" not in key)
        checked(key, "label")
        checked_value(value, "label")


def _expect_number(column: str, value: Any, least: int) -> None:
    is_one = value is None or (
        isinstance(value, int | float) and math.isfinite(value) and value >= least
    )
    _expect(column, f"a number of {least} or more", value, is_one)


def _expect(column: str, expected: str, value: Any, condition: object) -> None:
    if not condition:
        shown = value if isinstance(value, float | int) else f"{str(value)[:60]!r}"
        raise PerfduckError.at(column, expected=expected, got=shown)
