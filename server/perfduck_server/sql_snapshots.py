"""Copies of the store for SQL that users write, which another process reads: what runs there can
neither slow the process that serves nor end it.

snapshot/base          the file, copied again only where a checkpoint has changed it
snapshot/N.duckdb      the same file by another name, a hard link
snapshot/N.duckdb.wal  what was committed since: some MB, which who opens N.duckdb reads as well
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from perfduck.held_store import HeldStore
from perfduck_store.duckdb.file_copy import FileState, log_of, written_whole


@dataclass(slots=True)
class _Snapshot:
    path: Path
    changes: int  # of the store before it was made (SharedDuckDb)
    users: int = 0


class SqlSnapshots:
    """The store as it is, in files of its own: new ones where the store has changed since."""

    def __init__(self, held: HeldStore, folder: Path) -> None:
        """`folder`: for the copies; what an earlier server has left there is removed."""
        self._held = held
        self._folder = folder
        self._lock = Lock()
        self._last: _Snapshot | None = None
        self._base, self._base_state = folder / "base", FileState(0, 0)
        self._count = 0
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)

    @contextmanager
    def current(self) -> Iterator[Path]:
        """The path of a copy, which is there for as long as the block runs."""
        with self._lock:
            snapshot = self._fresh()
            snapshot.users += 1
        try:
            yield snapshot.path
        finally:
            with self._lock:
                snapshot.users -= 1
                self._remove_unused(snapshot)

    def _fresh(self) -> _Snapshot:
        changes = self._held.shared.changes
        if self._last is not None and self._last.changes == changes:
            return self._last
        self._count += 1
        path = self._folder / f"{self._count}.duckdb"
        with written_whole(path):
            self._write(path)
        before, self._last = self._last, _Snapshot(path, changes)
        if before is not None:
            self._remove_unused(before)
        return self._last

    def _write(self, path: Path) -> None:
        if self._held.shared.copy_log(path, self._base_state):
            path.hardlink_to(self._base)
            return
        self._base_state = FileState(0, 0)
        self._base.unlink(missing_ok=True)  # who reads it by another name still does
        self._base_state = self._held.shared.copy(path)
        self._base.hardlink_to(path)

    def _remove_unused(self, snapshot: _Snapshot) -> None:
        if snapshot is not self._last and not snapshot.users:
            snapshot.path.unlink(missing_ok=True)
            log_of(snapshot.path).unlink(missing_ok=True)
