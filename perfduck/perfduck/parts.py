"""The parts of the library, each loaded when it is first used: polars, DuckDB and scipy take 0.3 s,
and no question needs all of them.

parts.comparisons.diff(...)
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perfduck import (
        adoption,
        comparisons,
        details,
        drawings,
        edits,
        exports,
        frames,
        ingestion,
        inventory,
        names_and_tags,
        rankings,
        recordings,
        user_sql,
    )
    from perfduck_diff import answer
    from perfduck_ingest.runtime import warm_up
    from perfduck_store import sql_limits as limits
    from perfduck_store.duckdb import store
    from perfduck_store.remote import client as remote
    from perfduck_store.remote import merging

    __all__ = [
        "adoption", "answer", "comparisons", "details", "drawings", "edits", "exports", "frames",
        "ingestion", "inventory", "limits", "merging", "names_and_tags", "rankings", "recordings",
        "remote", "store", "user_sql", "warm_up",
    ]  # fmt: skip

_MODULES = {
    "adoption": "perfduck.adoption",
    "answer": "perfduck_diff.answer",
    "comparisons": "perfduck.comparisons",
    "details": "perfduck.details",
    "drawings": "perfduck.drawings",
    "edits": "perfduck.edits",
    "exports": "perfduck.exports",
    "frames": "perfduck.frames",
    "ingestion": "perfduck.ingestion",
    "inventory": "perfduck.inventory",
    "limits": "perfduck_store.sql_limits",
    "merging": "perfduck_store.remote.merging",
    "names_and_tags": "perfduck.names_and_tags",
    "rankings": "perfduck.rankings",
    "recordings": "perfduck.recordings",
    "remote": "perfduck_store.remote.client",
    "store": "perfduck_store.duckdb.store",
    "user_sql": "perfduck.user_sql",
    "warm_up": "perfduck_ingest.runtime.warm_up",
}


def __getattr__(name: str) -> ModuleType:
    if name not in _MODULES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return import_module(_MODULES[name])
