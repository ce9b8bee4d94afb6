"""The one kind of failure that a user can fix."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

# A disk without room, or a user without a quota: Python, polars and duckdb all quote it.
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_IS_FULL = tuple(os.strerror(code) for code in FULL_DISK)


class PerfduckError(Exception):
    """Where, what was expected, what was there. The command line prints it and exits 2."""

    @classmethod
    def at(cls, where: object, *, expected: str, got: object) -> Self:
        """The error at a place: a file, a line of it, an option."""
        return cls(f"{where}: expected {expected}, got {got}")


class NoProfileError(PerfduckError):
    """A selector that means no profile of the store."""


class DiskIsFull(PerfduckError):
    """A file that there is no room for."""


class SymbolError(PerfduckError):
    """A rules file, a kallsyms file or an ELF file that is not what it should be."""

    @classmethod
    def in_file(cls, path: Path, line: int | None, reason: str) -> Self:
        """The error at a line of a file, or in the file as a whole."""
        where = str(path) if line is None else f"{path}:{line}"
        return cls(f"{where}: {reason}")


@contextmanager
def room_on_disk(path: Path | str) -> Iterator[None]:
    """Something is written to this file, folder or store; DiskIsFull where its disk has no room."""
    try:
        yield
    except DiskIsFull:
        raise
    except Exception as error:
        if not any(words in str(error) for words in _IS_FULL):
            raise
        message = f"{path}: expected room on the disk, got: {str(error).splitlines()[0]}"
        raise DiskIsFull(message) from error
