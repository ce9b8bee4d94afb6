"""The parts of a store that load polars (0.1 s) or an extra, each loaded when it is first used: a
command that prints a few rows does without.

parts.writer.check(...)
"""

from typing import TYPE_CHECKING

from perfduck_model.lazy import lazy_modules

if TYPE_CHECKING:
    from perfduck_store.duckdb import sql_process, user_sql, writer
    from perfduck_store.lake import merge as lake_merge
    from perfduck_store.lake import s3
    from perfduck_store.lake import store as lake_store
    from perfduck_store.lake import writer as lake_writer
    from perfduck_store.remote import frame_columns, frames, merging
    from perfduck_store.remote import user_sql as remote_user_sql

    __all__ = [
        "frame_columns", "frames", "lake_merge", "lake_store", "lake_writer", "merging",
        "remote_user_sql", "s3", "sql_process", "user_sql", "writer",
    ]  # fmt: skip

__getattr__ = lazy_modules(
    __name__,
    {
        "frame_columns": "perfduck_store.remote.frame_columns",
        "frames": "perfduck_store.remote.frames",
        "lake_merge": "perfduck_store.lake.merge",
        "lake_store": "perfduck_store.lake.store",
        "lake_writer": "perfduck_store.lake.writer",
        "merging": "perfduck_store.remote.merging",
        "remote_user_sql": "perfduck_store.remote.user_sql",
        "s3": "perfduck_store.lake.s3",
        "sql_process": "perfduck_store.duckdb.sql_process",
        "user_sql": "perfduck_store.duckdb.user_sql",
        "writer": "perfduck_store.duckdb.writer",
    },
)
