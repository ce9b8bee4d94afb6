"""Copies of a DuckDB file: the file, and beside it the log of what was committed since."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from perfduck_model.errors import room_on_disk

_COPIED_BYTES = 1 << 26
_NOT_HERE = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class FileState(NamedTuple):
    """Which content a file has that only DuckDB writes. ns, bytes."""

    changed_ns: int
    size: int


def log_of(path: Path) -> Path:
    """The write-ahead log of a DuckDB file."""
    return path.with_name(f"{path.name}.wal")


def copy_file(source: int, to: Path) -> None:
    """Write all of an open file to another; a file system may let both share their blocks
    (copy_file_range(2)). The disk need not have the copy: it is made again after a crash."""
    with to.open("wb") as copy:
        at = 0
        while done := _copied(source, copy.fileno(), at):
            at += done


def _copied(source: int, to: int, at: int) -> int:
    try:
        return os.copy_file_range(source, to, _COPIED_BYTES, offset_src=at)
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise
        return os.sendfile(to, source, at, _COPIED_BYTES)


@contextmanager
def written_whole(to: Path) -> Iterator[None]:
    """A copy is written within; what fails leaves none. DiskIsFull where there is no room."""
    try:
        with room_on_disk(to):
            yield
    except BaseException:
        to.unlink(missing_ok=True)
        log_of(to).unlink(missing_ok=True)
        raise
