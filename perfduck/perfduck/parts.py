"""The parts of the library, each loaded when it is first used: polars, DuckDB and scipy take 0.3 s,
and no question needs all of them.

parts.comparisons.diff(...)
"""

from typing import TYPE_CHECKING

from perfduck_model.lazy import lazy_modules

if TYPE_CHECKING:
    from perfduck import (
        ab,
        adoption,
        comparisons,
        details,
        drawings,
        edits,
        exports,
        frames,
        ingestion,
        inventory,
        lake_ingestion,
        names_and_tags,
        push_spool,
        rankings,
        recorder,
        recordings,
        remote_ingestion,
        trends,
        user_sql,
    )
    from perfduck_diff import answer
    from perfduck_ingest.runtime import subprocess_iter
    from perfduck_store import choice
    from perfduck_store.duckdb import store
    from perfduck_store.lake import compaction
    from perfduck_store.lake import files as lake_files
    from perfduck_store.lake import log as lake_log
    from perfduck_store.lake import store as lake_store
    from perfduck_store.remote import client as remote
    from perfduck_store.remote import merging
    from perfduck_store.spark import store as spark_store

    __all__ = [
        "ab",
        "adoption",
        "answer",
        "choice",
        "compaction",
        "comparisons",
        "details",
        "drawings",
        "edits",
        "exports",
        "frames",
        "ingestion",
        "inventory",
        "lake_files",
        "lake_ingestion",
        "lake_log",
        "lake_store",
        "merging",
        "names_and_tags",
        "push_spool",
        "rankings",
        "recorder",
        "recordings",
        "remote",
        "remote_ingestion",
        "spark_store",
        "store",
        "subprocess_iter",
        "trends",
        "user_sql",
    ]  # fmt: skip

__getattr__ = lazy_modules(
    __name__,
    {
        "ab": "perfduck.ab",
        "adoption": "perfduck.adoption",
        "answer": "perfduck_diff.answer",
        "choice": "perfduck_store.choice",
        "compaction": "perfduck_store.lake.compaction",
        "comparisons": "perfduck.comparisons",
        "details": "perfduck.details",
        "drawings": "perfduck.drawings",
        "edits": "perfduck.edits",
        "exports": "perfduck.exports",
        "frames": "perfduck.frames",
        "ingestion": "perfduck.ingestion",
        "inventory": "perfduck.inventory",
        "lake_files": "perfduck_store.lake.files",
        "lake_ingestion": "perfduck.lake_ingestion",
        "lake_log": "perfduck_store.lake.log",
        "lake_store": "perfduck_store.lake.store",
        "merging": "perfduck_store.remote.merging",
        "names_and_tags": "perfduck.names_and_tags",
        "push_spool": "perfduck.push_spool",
        "rankings": "perfduck.rankings",
        "recorder": "perfduck.recorder",
        "recordings": "perfduck.recordings",
        "remote_ingestion": "perfduck.remote_ingestion",
        "remote": "perfduck_store.remote.client",
        "spark_store": "perfduck_store.spark.store",
        "store": "perfduck_store.duckdb.store",
        "trends": "perfduck.trends",
        "user_sql": "perfduck.user_sql",
        "subprocess_iter": "perfduck_ingest.runtime.subprocess_iter",
    },
)
