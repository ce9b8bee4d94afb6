"""The one recording of a store that another process made, as an importer hands it over.

Such a store may come from anybody: what is read are tables, never views, which could read files of
this machine, and values of the types of the schema.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import duckdb
import polars as pl

from perfduck_model.batch import (
    EDGE,
    LEAF_OFFSET,
    SAMPLE,
    SKIPPED,
    STACK,
    SYMBOL,
    Batch,
    Event,
    Facts,
    Limitation,
    Schema,
)
from perfduck_model.errors import PerfduckError
from perfduck_model.zstandard import zstd
from perfduck_store.duckdb.schema import named
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.duckdb.writer import FACTS
from perfduck_store.records import TagInput

_ROWS_AT_ONCE = 500_000
_BATCHES: dict[str, tuple[str, Schema]] = {
    "symbols": ("symbol", SYMBOL),
    "stacks": ("stack", STACK),
    "leaf_offsets": ("leaf_offset", LEAF_OFFSET),
    "edges": ("edge", EDGE),
    "skipped": ("skipped", SKIPPED),
    "samples": ("sample", SAMPLE),
}
_NOT_OF_PERFDUCK = (
    duckdb.Error, pl.exceptions.PolarsError, zstd.ZstdError, KeyError, TypeError, ValueError,
    OverflowError,
)  # fmt: skip
_OTHERS = (
    "profile", "event", "limitation", "attachment", "tag_input", "elf_function", "recorded_binary",
)  # fmt: skip


class SingleRecording:
    """A store that holds one recording; close it, or use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Open it. PerfduckError for what is no store, has another number of recordings, or was not
        made by perfduck."""
        self.path = path
        with self._expected():
            self._store = DuckDbStore(path)
            self._store.fence()
        try:
            with self._expected():
                self._check_tables()
                self.said = self._profile()
        except BaseException:
            self._store.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()

    def batches(self) -> Iterator[Batch]:
        """All that was recorded. Symbols and stacks come before what refers to them."""
        yield Batch(facts=self._facts())
        for name, (table, schema) in _BATCHES.items():
            for frame in self._frames(table, schema):
                yield Batch(**{name: frame})  # type: ignore[arg-type]  # no name is `facts`

    def attachments(self) -> list[tuple[str, str, str]]:
        """(kind, source, text) of the files that are kept with it."""
        with self._expected():
            return [(str(a), str(b), str(c)) for a, b, c in self._rows("single_attachments")]

    @cached_property
    def tag_inputs(self) -> dict[str, TagInput]:
        """Rules and kallsyms that it was read with, by kind."""
        with self._expected():
            keys = self._rows("single_tag_inputs")
            inputs = {kind: self._store.tag_inputs.kept(kind, release) for kind, release in keys}
        return {kind: content for kind, content in inputs.items() if content}

    def has_names(self) -> bool:
        """Whether files to name addresses by were given."""
        with self._expected():
            return "kallsyms" in self.tag_inputs or not self._store.symbols.binaries().is_empty()

    def functions(self) -> pl.DataFrame:
        """Of the ELF files that it was read with: rows of elf_function."""
        with self._expected():
            return self._store.symbols.functions_of(self._store.symbols.binaries()["dso"])

    def _check_tables(self) -> None:
        there = {row[0] for row in self._store.rows("select table_name from duckdb_tables()")}
        tables = {table for table, _ in _BATCHES.values()} | set(_OTHERS)
        if missing := sorted(tables - there):
            raise PerfduckError.at(self.path, expected=f"a table {missing[0]}", got="none")

    def _profile(self) -> dict[str, Any]:
        table = self._store.table(named("single_profile"))
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.values]
        if len(rows) != 1:
            got = "several" if rows else "none"
            raise PerfduckError.at(self.path, expected="a store of one recording", got=got)
        return rows[0]

    def _facts(self) -> Facts:
        with self._expected():
            events = {name: Event(*rest) for name, *rest in self._rows("single_events")}
            limitations = {
                code: Limitation(*rest) for code, *rest in self._rows("single_limitations")
            }
            facts = {name: self.said[name] for name in FACTS}
            build_ids: dict[str, str] = dict(self._rows("single_binaries"))
            return Facts(**facts, build_ids=build_ids, events=events, limitations=limitations)

    def _frames(self, table: str, schema: Schema) -> Iterator[pl.DataFrame]:
        columns = ", ".join(f'"{name}"' for name in schema)
        with self._expected():
            [(last,)] = self._store.rows(f"select coalesce(max(rowid), -1) from {table}")
        for first in range(0, last + 1, _ROWS_AT_ONCE):
            keys = {"first": first, "end": first + _ROWS_AT_ONCE}
            with self._expected():
                frame = self._store.frame(
                    f"select {columns} from {table}"
                    " where rowid >= $first and rowid < $end order by rowid",
                    keys,
                )
                yield frame.cast(pl.Schema(schema))

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        return self._store.rows(named(query))

    @contextmanager
    def _expected(self) -> Iterator[None]:
        """What others made may have columns of other names and types."""
        try:
            yield
        except _NOT_OF_PERFDUCK as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise PerfduckError.at(self.path, expected="a perfduck store", got=reason) from error
