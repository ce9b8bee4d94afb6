"""The user's own SQL, fenced: one statement that reads, within limits of rows, time and memory.

The store's connection is read-only, and DuckDB opens no file while the statement runs. What still
changes the process (SET, CALL enable_logging, CHECKPOINT, ...) is refused by the statement's type.
"""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from threading import Timer
from typing import Any

import duckdb
import polars as pl
import polars.selectors as cs
import pyarrow as pa

from perfduck_model.errors import PerfduckError
from perfduck_store.choice import SqlLimits
from perfduck_store.duckdb import sql_process

_LINE = re.compile(r"^LINE (?P<line>\d+):", re.MULTILINE)
_NO_COLUMN = (pl.exceptions.PolarsError, NotImplementedError, TypeError, ValueError)
_READING = {"SELECT", "EXPLAIN", "MULTI"}  # MULTI: what PIVOT is cut into


def run(
    connection: duckdb.DuckDBPyConnection,
    text: str,
    parameters: Mapping[str, Any],
    limits: SqlLimits,
) -> pl.DataFrame:
    """The rows of the statement. Raises PerfduckError, with the line where DuckDB says one, for
    what is no single reading statement, fails, or goes beyond a limit; duckdb.InterruptException
    where it was stopped before its time was over."""
    ended = time.monotonic() + limits.seconds
    try:
        _check(duckdb.extract_statements(text), parameters)
        with _fenced(connection, limits), _stopped_after(connection, limits.seconds):
            return _rows(connection.sql(text, params=dict(parameters) or None), limits.rows)
    except duckdb.InterruptException as error:
        if time.monotonic() < ended:
            raise
        raise sql_process.stopped(limits) from error
    except duckdb.Error as error:
        raise PerfduckError(_in_a_line(str(error))) from error


def _check(statements: list[duckdb.Statement], parameters: Mapping[str, Any]) -> None:
    kinds = [statement.type.name for statement in statements]
    if len(kinds) != 1 or kinds[0] not in _READING:
        raise PerfduckError.at(
            where="sql",
            expected="one query that reads (SELECT)",
            got=" and ".join(kinds) or "nothing",
        )
    unused = parameters.keys() - statements[0].named_parameters
    if unused:
        message = f"sql: expected ${min(unused)} in the query, for --param {min(unused)}"
        raise PerfduckError(message)


@contextmanager
def _fenced(connection: duckdb.DuckDBPyConnection, limits: SqlLimits) -> Iterator[None]:
    """A read-only transaction of a DuckDB that opens no other file and takes no more room."""
    connection.execute("set enable_external_access = false")
    connection.execute(f"set memory_limit = '{limits.memory_mb}MB'")
    connection.execute(f"set max_temp_directory_size = '{limits.spilled_mb}MB'")
    connection.execute("begin transaction read only")
    try:
        yield
    finally:
        connection.execute("rollback")


@contextmanager
def _stopped_after(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    timer = Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _rows(answer: duckdb.DuckDBPyRelation, most: int) -> pl.DataFrame:
    with closing(answer.to_arrow_reader(100_000)) as reader:
        table = _at_most(most, reader)
    try:
        frame = pl.DataFrame(pl.from_arrow(table))
    except _NO_COLUMN as error:
        raise _unprintable(answer, table) from error
    _check_dates(frame)
    return _whole_numbers(frame)


def _unprintable(answer: duckdb.DuckDBPyRelation, table: pa.Table) -> PerfduckError:
    """Which columns polars does not take."""
    names = answer.columns
    if twice := [name for name in names if names.count(name) > 1]:
        return PerfduckError.at(
            where="sql", expected="columns of different names", got=f"{twice[0]} more than once"
        )
    columns = zip(table.columns, names, answer.types, strict=True)
    listed = ", ".join(f"{name} {kind}" for column, name, kind in columns if not _is_taken(column))
    return PerfduckError.at(
        where="sql", expected="columns that can be printed", got=f"{listed}: cast with ::varchar"
    )


def _is_taken(column: pa.ChunkedArray) -> bool:
    try:
        pl.from_arrow(column)
    except _NO_COLUMN:
        return False
    return True


def _at_most(most: int, reader: pa.RecordBatchReader) -> pa.Table:
    batches: list[pa.RecordBatch] = []
    for batch in reader:
        batches.append(batch)
        if sum(map(len, batches)) > most:
            raise PerfduckError.at(
                where="sql", expected=f"at most {most:,} rows (--max-rows N)", got="more: add LIMIT"
            )
    return pa.Table.from_batches(batches, reader.schema)


def _check_dates(frame: pl.DataFrame) -> None:
    """DuckDB's years go to 294,247 and infinity, Python's to 9999."""
    for column in frame.select(cs.temporal() - cs.duration() - cs.time()):
        # Of what is beyond its calendar polars says null.
        if column.dt.year().is_between(1, 9999).sum() != column.count():
            raise PerfduckError.at(
                where="sql",
                expected=f"years 1 to 9999 in {column.name}",
                got="others: cast to varchar",
            )


def _whole_numbers(frame: pl.DataFrame) -> pl.DataFrame:
    """DuckDB's sum of integers is HUGEINT, which arrives as decimal(38, 0)."""
    sums = frame.select(cs.by_dtype(pl.Decimal(38, 0)))
    numbers = sums.select(pl.all().cast(pl.Int64, strict=False))
    return frame.with_columns(
        numbers[name] for name in sums.columns if numbers[name].count() == sums[name].count()
    )


def _in_a_line(message: str) -> str:
    """DuckDB's message with what it suggests, without the drawing of the query."""
    line = _LINE.search(message)
    where = f"sql:{line['line']}" if line else "sql"
    text = message.split("\n\nLINE ")[0].split("\nLINE ")[0]
    return f"{where}: {' '.join(text.split())}"
