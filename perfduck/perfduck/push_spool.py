"""Recordings that could not be sent, kept in a directory for `perfduck push`.

    NAME.duckdb    the store that the recording is in
    NAME.json      what is said of it beside that; written last, removed first

A process that sends one holds a lock on its JSON file, so that two do not send the same one; the
kernel lets go of the lock of a process that was killed.
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from perfduck.push_client import Pushed
from perfduck_model.durable import sync_file, sync_folder
from perfduck_model.errors import PerfduckError, room_on_disk

_DATA, _SAID = ".duckdb", ".json"


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    source: str
    options: dict[str, str]


def checked(folder: Path) -> Path:
    """The directory, made where there is none. PerfduckError where it cannot be written."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PerfduckError.at(folder, expected="a directory", got=error.strerror) from error
    if not os.access(folder, os.W_OK):
        raise PerfduckError.at(folder, expected="a directory that can be written", got="another")
    return folder


def keep(folder: Path, source: str, pushed: Pushed) -> None:
    """Keep a copy of what could not be sent; it is on the disk then, as a whole."""
    name = secrets.token_hex(8)
    entry = msgspec.json.encode(_Entry(source, pushed.options))
    with room_on_disk(folder):
        part = folder / f".{name}.part"
        try:
            with part.open("xb") as file, pushed.file.open("rb") as original:
                shutil.copyfileobj(original, file)
                sync_file(file)
            part.rename(folder / f"{name}{_DATA}")
            with part.open("xb") as file:
                file.write(entry)
                sync_file(file)
            part.rename(folder / f"{name}{_SAID}")
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    sync_folder(folder)


def entries(folder: Path) -> list[Path]:
    """What is kept in the directory, the oldest first. PerfduckError where it is none."""
    if not folder.is_dir():
        raise PerfduckError.at(folder, expected="the directory of ingest --spool", got="none")
    paths = [path for path in folder.glob(f"*{_SAID}") if path.with_suffix(_DATA).exists()]
    return sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path.name))


@contextmanager
def taken(path: Path) -> Iterator[tuple[str, Pushed] | None]:
    """Source and recording of an entry, which nobody else sends meanwhile; None where another
    process sends it, or has sent it."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield None
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        if not path.exists():  # sent between the two
            yield None
            return
        yield _read(path, file)


def drop(path: Path) -> None:
    """Remove an entry, which the server has."""
    path.unlink()
    path.with_suffix(_DATA).unlink(missing_ok=True)


def _read(path: Path, file: IO[bytes]) -> tuple[str, Pushed]:
    try:
        entry = msgspec.json.decode(file.read(), type=_Entry)
    except msgspec.DecodeError as error:
        raise PerfduckError.at(path, expected="an entry of ingest --spool", got=error) from error
    return entry.source, Pushed(path.with_suffix(_DATA), entry.options)
