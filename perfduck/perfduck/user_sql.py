"""SQL of the user over a store."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perfduck.opening import StoreFile, StoreLake, StorePlace
from perfduck.tables import Table
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits
from perfduck_model.small_file import reason, text_of
from perfduck_store.choice import SqlLimits
from perfduck_store.duckdb import documentation, sql_process
from perfduck_store.duckdb.documentation import TableDescription


def sql(
    file: StorePlace,
    query: str | os.PathLike[str],
    parameters: Mapping[str, Any],
    limits: SqlLimits,
) -> Table:
    """The rows of one statement that reads; a path is that of a file with it."""
    text = query if isinstance(query, str) else _content(Path(query))
    if any("\ud800" <= each <= "\udfff" for each in text):  # as Python has other bytes
        raise PerfduckError.at(where="sql", expected="text in UTF-8", got="other bytes")
    if isinstance(file, StoreFile) or (isinstance(file, StoreLake) and file.engine is None):
        sql_process.prepare()
    with file.read() as store:
        return Table(store.user_sql(text, parameters, limits))


def table_descriptions() -> tuple[TableDescription, ...]:
    """The tables that SQL can be written against, as schema.sql explains them."""
    return documentation.tables()


def _content(path: Path) -> str:
    try:
        return text_of(path, limits.most_sql_bytes)
    except (OSError, UnicodeDecodeError) as error:
        raise PerfduckError.at(path, expected="a file with SQL", got=reason(error)) from error
