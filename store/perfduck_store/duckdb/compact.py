"""Makes the file of a store smaller after something was removed.

duckdb uses it again for later recordings but never makes its file smaller, and keeps what was
deleted from tables with keys. So a file with enough free space is copied, and the copy takes its
place while the old file is still locked: a process that opened the old one meanwhile finds that the
path is another file by now, and opens that (store.py).
"""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from perfduck_model.limits import limits
from perfduck_store.duckdb.schema import named
from perfduck_store.records import Saved

if TYPE_CHECKING:
    from perfduck_store.duckdb.store import DuckDbStore


def close_and_compact(store: "DuckDbStore") -> Saved | None:
    """Close the store; where a quarter of its file or more is free, make it smaller. None where it
    is not, or the disk has no room for the copy."""
    try:
        store.execute("checkpoint store")
        path = store.path.resolve()
        before = path.stat().st_size
        if not _is_worth_it(store, path):
            return None
        _replace(store, path)
    finally:
        store.close()
    return Saved(before, path.stat().st_size)


def _is_worth_it(store: "DuckDbStore", path: Path) -> bool:
    [(free, used)] = store.rows(named("blocks"))
    # The copy is smaller, its temporary files are not known.
    needed = 2 * path.stat().st_size + limits.disk_reserve_bytes
    is_much = 100 * free >= limits.compact_percent * (free + used)
    return is_much and shutil.disk_usage(path.parent).free > needed


def _replace(store: "DuckDbStore", path: Path) -> None:
    copy = path.with_name(f"{path.name}.compact")
    copy.unlink(missing_ok=True)  # of a process that was killed
    try:
        store.copy_to(copy)
        shutil.copymode(path, copy)
        with copy.open("rb") as written:
            os.fsync(written.fileno())
        # Closing must not touch the write-ahead log: by then it may be that of another process.
        store.execute("pragma disable_checkpoint_on_shutdown")
        copy.replace(path)
    finally:
        copy.unlink(missing_ok=True)
