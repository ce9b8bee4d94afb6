"""A session of a Spark Connect server: statements in, columns out, errors as one line."""

import logging
import re
import socket
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import polars as pl

from perfduck_model.errors import PerfduckError
from perfduck_store.spark.address import EngineAddress

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of pandas 3
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import DataFrame
        from pyspark.sql.connect.client.retries import DefaultPolicy
        from pyspark.sql.connect.session import SparkSession
        from pyspark.sql.pandas.types import from_arrow_schema
    except ImportError as error:
        raise PerfduckError.at(
            where="--engine",
            expected="the package pyspark-client (pip install 'perfduck[spark]')",
            got=f"none that has {error.name}",
        ) from error

_REACHED_S = 5.0
_RETRIES = 4  # of a call that the network lost: within some seconds
_OLDEST = 4  # Spark before has no functions in SQL
_SETTINGS = {
    # The files of DuckDB quote names so, and write backslashes as they are.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.parser.escapedStringLiterals": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.runSQLOnFiles": "false",  # select * from parquet.`/etc/...`
    "spark.sql.parquet.enableVectorizedReader": "true",
}
_MISSING_FILE = re.compile(r"PATH_NOT_FOUND|FILE_NOT_EXIST|FileNotFoundException|AccessControl")
_TOO_LARGE = re.compile(r"OutOfMemoryError|Java heap space|GC overhead|exit code 137|maxResultSize")
_DAMAGED = re.compile(r"CANNOT_READ_FILE_FOOTER|FAILED_READ_FILE|is not a Parquet file")
_STOPPED = re.compile(r"OPERATION_CANCELED|was cancell?ed|INTERRUPTED|StatusCode\.CANCELLED")
_GONE = re.compile(r"StatusCode\.(UNAVAILABLE|DEADLINE_EXCEEDED)|SESSION_CLOSED|SESSION_NOT_FOUND")
_LOST = re.compile(r"ExecutorLostFailure|FetchFailed|MetadataFetchFailed")
# What gRPC says over many lines.
_CALL = re.compile(r'status = StatusCode\.(?P<code>\w+)\s+details = "(?P<details>(?:[^"\\]|\\.)*)"')
_CLASS = re.compile(r"^\([\w.$]+\) ")  # of Java, before what it says
_CODES = {
    "UNAVAILABLE": "no connection that lasts",
    "DEADLINE_EXCEEDED": "none in time",
    "UNIMPLEMENTED": "a server of something else",
    "UNAUTHENTICATED": "a refusal without a token (sc://HOST:PORT/;token=...)",
    "PERMISSION_DENIED": "a refusal of this user or token",
    "RESOURCE_EXHAUSTED": "one that is too large",
}


class EngineSession:
    """An open session; close it."""

    def __init__(self, address: EngineAddress) -> None:
        """PerfduckError where nobody answers there, or another than Spark of a version that is
        understood."""
        self.address = address
        self._kept: list[DataFrame] = []
        self._is_stopped = False
        self._spark = _opened(address)

    def close(self) -> None:
        """Have the cluster forget it, with what it kept."""
        with _quiet(), suppress(Exception):
            for frame in self._kept:
                frame.unpersist()
            self._spark.stop()

    def interrupt(self) -> None:
        """Stop what runs now, from another thread: who runs it gets a KeyboardInterrupt."""
        self._is_stopped = True
        with suppress(Exception):
            self._spark.interruptAll()

    def run(self, text: str, parameters: Mapping[str, Any] | None = None) -> DataFrame:
        """A statement of Spark, with :name for parameters: a query is not begun yet."""
        with self.errors():
            return self._spark.sql(text, args=dict(parameters or {}))

    def check(self, text: str, parameters: Mapping[str, Any] | None = None) -> None:
        """PerfduckError where Spark does not understand a query; do not begin it."""
        frame = self.run(text, parameters)
        with self.errors():
            frame.schema  # noqa: B018 - asks the server

    def columns(self, frame: DataFrame) -> pl.DataFrame:
        """The rows of a query."""
        with self.errors():
            return pl.DataFrame(pl.from_arrow(frame.toArrow()))

    def rows(self, frame: DataFrame) -> list[tuple[Any, ...]]:
        """The rows of a query as tuples; a map is a dict."""
        with self.errors():
            table = frame.toArrow()
        columns = [column.to_pylist(maps_as_pydicts="strict") for column in table.columns]
        return list(zip(*columns, strict=True))

    def keep_parts(self, name: str, paths: list[str], columns: list[str]) -> None:
        """Let the rows of Parquet files be a view."""
        with self.errors():
            rows = self._spark.read.parquet(*paths).select(*columns)
            rows.createOrReplaceTempView(name)

    def keep_frame(self, name: str, frame: pl.DataFrame) -> None:
        """Let a frame be a view."""
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        with self.errors():
            schema = from_arrow_schema(table.schema)  # which it cannot infer of no rows
            self._spark.createDataFrame(table, schema).createOrReplaceTempView(name)

    def keep_rows(self, name: str, text: str, parameters: Mapping[str, Any] | None) -> None:
        """Let a query be a view that is worked out once."""
        frame = self.run(text, parameters)
        with self.errors():
            frame.createOrReplaceTempView(name)
        self.keep(name)

    def keep(self, name: str) -> None:
        """Have the cluster keep the rows of a view, in memory or on disk, once it read them."""
        with self.errors():
            self._kept.append(self._spark.table(name).cache())

    @contextmanager
    def errors(self) -> Iterator[None]:
        """What Spark raises as a PerfduckError; KeyboardInterrupt after `interrupt`."""
        try:
            with _quiet():
                yield
        except PySparkException as error:
            if self._is_stopped and _STOPPED.search(str(error)):
                raise KeyboardInterrupt from error
            raise failure(self.address, str(error)) from error


class EngineError(PerfduckError):
    """What Spark says of a statement: `reason`."""

    def __init__(self, address: EngineAddress, reason: str) -> None:
        super().__init__(f"{address}: expected an answer, got {reason}")
        self.reason = reason


def failure(address: EngineAddress, text: str) -> PerfduckError:
    """What Spark says of a statement, in a line; an EngineError where the statement is to blame."""
    reason = _reason(text)
    for pattern, expected in (
        (_STOPPED, "a query that nobody cancels there"),
        (_TOO_LARGE, "room in the memory of the cluster (spark.executor.memory)"),
        (_LOST, "workers that go on"),
        (_MISSING_FILE, "a cluster that sees the files of the lake"),
        (_DAMAGED, "whole parts of the lake"),
        (_GONE, "a server that goes on answering"),
    ):
        if pattern.search(text):
            return PerfduckError.at(address, expected=expected, got=reason)
    return EngineError(address, reason)


def _reason(text: str) -> str:
    """What Spark says, or gRPC, as a line."""
    if call := _CALL.search(text):
        details = " ".join(call["details"].split())[:200]
        known = _CODES.get(call["code"], call["code"])
        return f"{known}: {details}" if details else known
    said = " ".join(text.split("\n\nJVM stacktrace")[0].split("\n\n")[0].split())
    return _CLASS.sub("", said)[:400]


def _opened(address: EngineAddress) -> SparkSession:
    _check_reached(address)
    with _quiet():
        spark = SparkSession.builder.remote(address.url).create()
        spark.client.set_retry_policies([DefaultPolicy(max_retries=_RETRIES)])
        try:
            _check_version(address, str(spark.version))
            for name, value in _SETTINGS.items():
                spark.conf.set(name, value)
        except BaseException as error:
            spark.client.close()  # else it asks again at the end of the process
            if not isinstance(error, PySparkException):
                raise
            expected, got = "a Spark Connect server", _reason(str(error))
            raise PerfduckError.at(address, expected=expected, got=got) from error
    return spark


def _check_reached(address: EngineAddress) -> None:
    """Spark's client would try for ten minutes."""
    try:
        socket.create_connection((address.host.strip("[]"), address.port), _REACHED_S).close()
    except OSError as error:
        expected, got = "a Spark Connect server", error.strerror or str(error)
        raise PerfduckError.at(address, expected=expected, got=got) from error


def _check_version(address: EngineAddress, version: str) -> None:
    if int(version.partition(".")[0]) < _OLDEST:
        expected = f"Spark {_OLDEST} or later"
        raise PerfduckError.at(address, expected=expected, got=version)


@contextmanager
def _quiet() -> Iterator[None]:
    """Spark's client logs each error with its stack, and warns of pandas 3."""
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger", "pyspark"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
