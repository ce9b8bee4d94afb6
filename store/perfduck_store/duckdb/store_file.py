"""What a store may be, said before DuckDB sees it, and what DuckDB says of a file that is damaged.

DuckDB takes names such as `md:x`, `postgres:x`, `http://x` and SQLite files for databases of other
kinds, and asks the network for an extension that reads them; `:memory:` would keep nothing.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from perfduck_model.errors import PerfduckError
from perfduck_model.special_files import what_is

# No extension is fetched or loaded; user_sql.py turns off all other files while a query runs.
FENCED: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}
_PREFIX = re.compile(r"[a-z][\w+.-]*:|:memory:", re.IGNORECASE)
_LONGEST_NAME = 255 - len(".compact")  # other files beside the store have endings
_MAGIC_AT, _MAGIC = 8, b"DUCK"  # behind the checksum of the first header
_OTHERS = {b"SQLite format 3\x00": "a SQLite database", b"PAR1": "a Parquet file"}
# What DuckDB raises of bytes that are not what it wrote; what a query of ours gets wrong is another
# class (binder, catalog, conversion) and a bug.
_DAMAGE = (
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.IOException,
    duckdb.SerializationException,
    UnicodeDecodeError,
)


def check(path: Path) -> None:
    """Raise PerfduckError where the path is not that of a DuckDB file, or of one to be made."""
    if _PREFIX.match(str(path)):
        raise PerfduckError.at(
            path, expected=f"the path of a store (./{path} if it is one)", got="a prefix"
        )
    if kind := _other_kind(path):
        raise PerfduckError.at(path, expected="a store", got=kind)
    if any("\ud800" <= each <= "\udfff" for each in str(path)):  # as Python has other bytes
        raise PerfduckError.at(path, expected="a path in UTF-8", got="other bytes")
    if (length := len(os.fsencode(path.name))) > _LONGEST_NAME:
        expected = f"a file name of at most {_LONGEST_NAME} bytes"
        raise PerfduckError.at(path, expected=expected, got=f"{length}")


def check_new(path: Path) -> None:
    """Raise PerfduckError where no store can be made at the path: with its reason, before anything
    is read for it."""
    check(path)
    folder = Path(os.path.realpath(path)).parent if path.is_symlink() else path.parent
    if not folder.is_dir():
        raise PerfduckError.at(
            path, expected="a store", got=f"a path in {folder}, which is not a directory"
        )
    if not os.access(folder, os.W_OK):
        raise PerfduckError.at(path, expected="a store", got="a directory that cannot be written")


def identity(path: Path) -> tuple[int, int] | None:
    """Which file the path means now; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _other_kind(path: Path) -> str | None:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return what_is(path)
        with path.open("rb") as file:
            head = file.read(16)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    if not head or head[_MAGIC_AT:].startswith(_MAGIC):
        return None
    return next((kind for magic, kind in _OTHERS.items() if head.startswith(magic)), "another file")


@contextmanager
def damage(path: Path) -> Iterator[None]:
    """DuckDB works on this file: what it says of damaged bytes is raised as a PerfduckError."""
    try:
        yield
    except (duckdb.Error, UnicodeDecodeError) as error:
        # "Corrupt database file: computed checksum ..." has the class of all.
        if not isinstance(error, _DAMAGE) and type(error) is not duckdb.Error:
            raise
        reason = str(error).splitlines()[0]
        raise PerfduckError.at(
            path, expected="a whole store", got=f"one that cannot be read: {reason}"
        ) from error
