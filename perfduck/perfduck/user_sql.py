"""SQL of the user over a store."""

from collections.abc import Mapping
from typing import Any

from perfduck.opening import StoreFile
from perfduck.tables import Table
from perfduck_store.user_sql import SqlLimits


def sql(file: StoreFile, query: str, parameters: Mapping[str, Any], limits: SqlLimits) -> Table:
    """The rows of one statement that reads."""
    with file.read() as store:
        return Table(store.user_sql(query, parameters, limits))
