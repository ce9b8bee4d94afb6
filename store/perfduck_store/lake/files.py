"""The files of a lake in a directory that many processes, and machines, write at once.

    v8/                        the schema version
      sample/HASH.parquet      parts: rows of one table, never changed
      commits/HASH.json        what a writer added; see log.py
      manifests/HASH.json      what a compaction made of all commits before it
      generations/00000001     the hash of the manifest of each generation; the highest is valid

A file is named by the xxh3-128 of its bytes, so writing it twice is writing it once, and damage is
noticed. It is written beside its place, synced, and renamed: it is there as a whole or not at all.
"""

import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import xxhash

from perfduck_model.errors import FULL_DISK, PerfduckError, room_on_disk
from perfduck_model.special_files import what_is
from perfduck_store.duckdb.schema import SCHEMA_VERSION, mismatch

COMMITS, MANIFESTS, GENERATIONS = "commits", "manifests", "generations"
_VERSION = re.compile(r"v(\d+)")
_HASH = re.compile(r"[0-9a-f]{32}")
_SCRATCH = ".writing-"
_AT_ONCE = 1 << 22


class LakeFiles:
    """The files of a lake of this schema version, by name: `sample/HASH.parquet`."""

    def __init__(self, root: Path) -> None:
        """PerfduckError where the path is that of something else, or of a lake of another schema
        version. There may be none yet."""
        self.root = root
        self.folder = root / f"v{SCHEMA_VERSION}"
        self._checked: set[str] = set()
        self._check_root()

    def exists(self) -> bool:
        """Whether there is a lake."""
        with self._readable(self.folder):
            return self.folder.is_dir()

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder, sorted; none where there is none."""
        with self._readable(self.folder / folder), suppress(FileNotFoundError):
            listed = os.listdir(self.folder / folder)  # noqa: PTH208 - twice as fast
            return sorted(name for name in listed if not name.startswith("."))
        return []

    def read(self, folder: str, name: str) -> bytes:
        """The content of a file that is named by it. FileNotFoundError where it was deleted."""
        content = self._content(folder, name)
        if xxhash.xxh3_128_hexdigest(content) != name.partition(".")[0]:
            raise _damaged(self.folder / folder / name)
        return content

    def pointer(self, generation: str) -> str:
        """The hash of the manifest of a generation. FileNotFoundError where it was deleted."""
        content = self._content(GENERATIONS, generation).decode("ascii", "replace").strip()
        if not _HASH.fullmatch(content):
            where = self.folder / GENERATIONS / generation
            raise PerfduckError.at(where, expected="the hash of a manifest", got=repr(content[:40]))
        return content

    def _content(self, folder: str, name: str) -> bytes:
        path = self.folder / folder / name
        with self._readable(path):
            return path.read_bytes()

    def part(self, table: str, name: str, size: int) -> Path:
        """A part to read, whole and undamaged. PerfduckError where it is not."""
        path = self.folder / table / f"{name}.parquet"
        if path.name not in self._checked:
            _check_part(path, name, size)
            self._checked.add(path.name)
        return path

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A directory for files that are being written; those of a killed process are removed by a
        compaction."""
        with room_on_disk(self.root):
            with self._writable():
                self.folder.mkdir(parents=True, exist_ok=True)
                folder = TemporaryDirectory(prefix=_SCRATCH, dir=self.folder)
            with folder as name:
                yield Path(name)

    def publish(self, written: Path, folder: str, ending: str) -> str:
        """Give a file that was written the place of its content, and say its hash."""
        name = _hash_of(written)
        with self._writable():
            with written.open("rb") as file:
                os.fsync(file.fileno())
            written.replace(self._made(folder) / f"{name}.{ending}")
            _sync(self.folder / folder)
        return name

    def create(self, written: Path, folder: str, name: str) -> bool:
        """Give a file that was written a name that no other file has; False where one has it."""
        with self._writable(), suppress(FileExistsError):
            with written.open("rb") as file:
                os.fsync(file.fileno())
            os.link(written, self._made(folder) / name)
            _sync(self.folder / folder)
            return True
        return False

    def older(self, folder: str, seconds: float) -> list[str]:
        """The names of files that were written so long ago."""
        before = time.time() - seconds
        return [name for name in self.names(folder) if self._written_at(folder, name) < before]

    def folders(self) -> list[str]:
        """The folders of the lake."""
        names = (path.name for path in self.folder.iterdir() if path.is_dir())
        return sorted(name for name in names if not name.startswith("."))

    def delete(self, folder: str, name: str, seconds: float) -> int:
        """Delete a file that was written so long ago, and say how many bytes it had; 0 where it was
        written again since."""
        if self._written_at(folder, name) >= time.time() - seconds:
            return 0
        path = self.folder / folder / name
        size = path.stat().st_size
        path.unlink()
        return size

    def sweep(self, seconds: float) -> None:
        """Delete what processes have left that were killed so long ago."""
        for path in self.folder.glob(f"{_SCRATCH}*"):
            if path.stat().st_mtime < time.time() - seconds:
                shutil.rmtree(path, ignore_errors=True)

    def _written_at(self, folder: str, name: str) -> float:
        try:
            return (self.folder / folder / name).stat().st_mtime
        except FileNotFoundError:
            return float("inf")

    def _made(self, folder: str) -> Path:
        path = self.folder / folder
        if not path.is_dir():
            path.mkdir(exist_ok=True)
            _sync(self.folder)
        return path

    def _check_root(self) -> None:
        with self._readable(self.root), suppress(FileNotFoundError):
            mode = self.root.stat().st_mode
            if not stat.S_ISDIR(mode):
                got = "a file" if stat.S_ISREG(mode) else what_is(self.root)
                raise PerfduckError.at(self.root, expected="the directory of a lake", got=got)
            self._check_names([path.name for path in self.root.iterdir()])

    def _check_names(self, names: list[str]) -> None:
        versions = [int(match[1]) for name in names if (match := _VERSION.fullmatch(name))]
        if newest := max(versions, default=0):
            if reason := mismatch(newest):
                message = f"{self.root}: {reason}"
                raise PerfduckError(message)
            if newest < SCHEMA_VERSION:
                expected = f"a lake of schema version {SCHEMA_VERSION}"
                raise PerfduckError.at(self.root, expected=expected, got=newest)
        elif names:
            got = f"a directory with {min(names)}"
            raise PerfduckError.at(self.root, expected="a lake or an empty directory", got=got)

    @contextmanager
    def _readable(self, path: Path) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise PerfduckError.at(path, expected="a lake", got=error.strerror) from error

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in FULL_DISK:
                raise
            expected = "a lake that can be written"
            raise PerfduckError.at(self.root, expected=expected, got=error.strerror) from error


def _check_part(path: Path, name: str, size: int) -> None:
    try:
        found = path.stat().st_size
        if found != size:
            got = f"{found:,}"
            raise PerfduckError.at(path, expected=f"a part of {size:,} bytes", got=got)
        is_whole = _hash_of(path) == name
    except OSError as error:
        raise PerfduckError.at(path, expected="a part of the lake", got=error.strerror) from error
    if not is_whole:
        raise _damaged(path)


def _damaged(path: Path) -> PerfduckError:
    return PerfduckError.at(path, expected="the content that the file is named by", got="another")


def _hash_of(path: Path) -> str:
    hashed = xxhash.xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(_AT_ONCE):
            hashed.update(chunk)
    return hashed.hexdigest()


def _sync(folder: Path) -> None:
    """Have the disk know the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
