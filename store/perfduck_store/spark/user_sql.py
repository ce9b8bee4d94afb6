"""The user's own SQL on Spark: one query over views of the lake's tables.

That it is a query is decided by Spark's grammar: as a subquery it can be nothing else. It names the
views of this session and no files (runSQLOnFiles is off). Beyond that Spark has no fence: tables of
the cluster's catalogue, and functions that call Java, are what the cluster lets its users do.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING, Any

import polars as pl

from perfduck_model.errors import PerfduckError
from perfduck_store.choice import SqlLimits
from perfduck_store.duckdb import sql_process
from perfduck_store.duckdb.schema import hit_view
from perfduck_store.lake.kinds import KIND_OF
from perfduck_store.spark.dialect import parameters_of, with_colons
from perfduck_store.spark.session import EngineError

if TYPE_CHECKING:
    from perfduck_store.spark.session import EngineSession
    from perfduck_store.spark.tables import SparkTables


def run(
    tables: "SparkTables", text: str, parameters: Mapping[str, Any], limits: SqlLimits
) -> pl.DataFrame:
    """The rows of the statement. Raises PerfduckError for what is no single query, fails, or goes
    beyond a limit of time or rows; the memory of the cluster is its own to bound."""
    unused = parameters.keys() - parameters_of(text)
    if unused:
        message = f"sql: expected ${min(unused)} in the query, for --param {min(unused)}"
        raise PerfduckError(message)
    tables.show(*KIND_OF)
    tables.execute(f"create or replace temp view hit as {hit_view()}")
    query = with_colons(text.strip().rstrip(";"))
    with _in_words(), _stopped_after(tables.session, limits):
        # A line of its own: the statement may end with a comment.
        tables.session.check(f"select * from (\n{query}\n) limit 0", parameters)
        answer = tables.session.run(query, parameters).limit(limits.rows + 1)
        rows = tables.session.columns(answer)
    if len(rows) > limits.rows:
        expected = f"at most {limits.rows:,} rows (--max-rows N)"
        raise PerfduckError.at(where="sql", expected=expected, got="more: add LIMIT")
    return rows


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except EngineError as error:
        if "PARSE_SYNTAX_ERROR" not in error.reason:
            message = f"sql: {error.reason}"
            raise PerfduckError(message) from error
        expected = "one query that reads (SELECT), in Spark's SQL"
        raise PerfduckError.at(where="sql", expected=expected, got=error.reason) from error


@contextmanager
def _stopped_after(session: "EngineSession", limits: SqlLimits) -> Iterator[None]:
    ended = time.monotonic() + limits.seconds
    timer = Timer(limits.seconds, session.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except KeyboardInterrupt as error:
        if time.monotonic() < ended:
            raise
        raise sql_process.stopped(limits) from error
    finally:
        timer.cancel()
