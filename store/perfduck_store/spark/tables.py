"""The tables of a lake as views of a Spark session, of the recordings that statements are about."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from perfduck_model.errors import PerfduckError
from perfduck_store.choice import KEYS, Choice
from perfduck_store.lake.address import S3
from perfduck_store.lake.kinds import KIND_OF, NAMES
from perfduck_store.lake.parts import Settings, source_of
from perfduck_store.spark.dialect import spark_query, spark_text, statements

if TYPE_CHECKING:
    from perfduck_store.lake.files import LakeFiles
    from perfduck_store.lake.log import Group, Setting, Slot
    from perfduck_store.spark.session import EngineSession
    from perfduck_store.spark.store import SparkStore

_COMMENT = re.compile(r"--.*")
_TABLE = re.compile(r"\b(?:from|join)\s+(\w+)", re.IGNORECASE)
_PATTERN = re.compile(r"[][{}*?\\]")  # in a path of Hadoop's: all else is taken as it is
_KEYS = {"stack": "stack_id", "stack_blame": "stack_id", "symbol": "symbol_id"}


class SparkTables:
    """What DuckDbSamples asks, by Spark."""

    def __init__(self, lake: "SparkStore", session: "EngineSession") -> None:
        self.picked: Choice | None = None
        self.session = session
        self._lake = lake
        self._shown: dict[str, dict[Slot, Setting]] = {}
        self._reads = 0

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """The answer as tuples."""
        return self.session.rows(self._query(sql, parameters))

    def frame(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pl.DataFrame:
        """The answer as columns."""
        return self.session.columns(self._query(sql, parameters))

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement for its effect."""
        self._query(sql, parameters)

    def keep_rows(self, name: str, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Let a query be a temporary view that is worked out once."""
        self.show_for(sql)
        self.session.keep_rows(name, spark_text(sql), parameters)

    def keep_frame(self, name: str, frame: pl.DataFrame) -> None:
        """Let a frame be a temporary view."""
        self.session.keep_frame(name, frame)

    def choose(self, choice: Choice) -> None:
        """Have queries be about a choice: what dialect.sql says of it."""
        runs = {"run": range(len(choice.profiles)), "profile_id": list(choice.profiles)}
        schema = {"run": pl.Int32, "profile_id": pl.Int64}
        self.keep_frame("chosen_profile", pl.DataFrame(runs, schema))
        for statement in statements("dialect"):
            self.session.run(statement)
        events = sorted({event for events in choice.events for event in events})
        values = {"events": events, "pairs": choice.pairs}
        values |= {key: list(choice.values[key]) for key in KEYS if key in choice.values}
        self.session.run(
            "set variable chosen_values = from_json(:values, 'map<string, array<string>>')",
            {"values": json.dumps(values)},
        )

    def show(self, *tables: str) -> None:
        """Let views have the rows of tables that statements are about."""
        for table in tables:
            self._show(table)

    def show_for(self, sql: str) -> None:
        """The same of the tables that a statement names."""
        self.show(*(each for each in _TABLE.findall(_COMMENT.sub("", sql)) if each in KIND_OF))

    def _query(self, sql: str, parameters: Mapping[str, Any] | None) -> Any:
        self.show_for(sql)
        return self.session.run(spark_text(sql), parameters)

    def _show(self, table: str) -> None:
        shown, wanted = self._shown.get(table), self._lake.settings_of(table)
        if shown is not None and wanted.keys() <= shown.keys():
            return
        settings = self._shown[table] = (shown or {}) | dict(wanted)
        if table == "profile":
            self.keep_frame(table, self._lake.profiles_of(settings))
        elif source := self._source(table, settings):
            self.session.run(f"create or replace temp view {table} as {source}")
            if table in NAMES and table != "stack":  # each once: what that takes, all queries need
                self.session.keep(table)
        else:
            self.keep_frame(table, self._lake.rows_here(f"select * from {table} limit 0"))

    def _source(self, table: str, settings: Settings) -> str | None:
        """A query of the rows that these slots have, each once."""
        source = source_of(self._lake.files, table, settings, self._parts)
        if source is None or table not in NAMES:
            return source and f"select * from {source}"
        if table not in _KEYS:
            return f"select distinct * from {source}"
        columns = self._lake.columns_of(table)
        tagged = source_of(self._lake.files, table, self._lake.state.live("tags"), self._parts)
        return spark_query("names_of").format(
            key=_KEYS[table],
            columns=", ".join(columns),
            order=", ".join(f"{column} nulls last" for column in columns),
            source=source,
            tagged=tagged or f"(select * from {source} limit 0)",
        )

    def _parts(self, files: "LakeFiles", table: str, groups: "Iterable[Group]") -> str:
        """A view of these parts: see lake.parts.Read."""
        paths = sorted({_address(files, table, *group.parts[table]) for group in groups})
        self._reads += 1
        name = f"part_{self._reads}"
        self.session.keep_parts(name, paths, self._lake.columns_of(table))
        return name


def _address(files: "LakeFiles", table: str, name: str, size: int) -> str:
    """A part as the cluster finds it; of the right size, where this machine sees it. Its content is
    not held against its name: that would read all of it here."""
    where = files.where(table, f"{name}.parquet")
    if where.startswith(S3):
        return f"s3a://{where.removeprefix(S3)}"  # as Hadoop calls it
    path = Path(where).absolute()
    try:
        length = path.stat().st_size
    except OSError as error:
        raise PerfduckError.at(path, expected="a part of the lake", got=error.strerror) from error
    if length != size:
        raise PerfduckError.at(path, expected=f"a part of {size:,} bytes", got=f"{length:,}")
    return "file://" + _PATTERN.sub(r"\\\g<0>", str(path))
