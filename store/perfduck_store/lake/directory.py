"""The files of a lake in a directory that many processes, and machines, write at once.

A file is written beside its place, synced, and renamed: it is there as a whole or not at all.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from perfduck_model.errors import FULL_DISK, PerfduckError, room_on_disk
from perfduck_model.special_files import what_is

_SCRATCH = ".writing-"


class DirectoryStorage:
    """See LakeStorage."""

    at_once = 1

    def __init__(self, root: Path, version: str) -> None:
        """`version`: the folder of the schema version. Nothing is read yet."""
        self._root, self._folder = root, root / version

    @property
    def local_folder(self) -> Path:
        """The folder of the schema version."""
        return self._folder.resolve()

    def where(self, *names: str) -> str:
        """The path."""
        return str(self._folder.joinpath(*names) if names else self._root)

    def top(self) -> list[str]:
        """The names in the directory of the lake, which need not be there."""
        with self._readable(self._root), suppress(FileNotFoundError):
            mode = self._root.stat().st_mode
            if not stat.S_ISDIR(mode):
                got = "a file" if stat.S_ISREG(mode) else what_is(self._root)
                raise PerfduckError.at(self._root, expected="the directory of a lake", got=got)
            return [path.name for path in self._root.iterdir()]
        return []

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder, sorted; none where there is none."""
        with self._readable(self._folder / folder), suppress(FileNotFoundError):
            listed = os.listdir(self._folder / folder)  # noqa: PTH208 - twice as fast
            return sorted(name for name in listed if not name.startswith("."))
        return []

    def folders(self) -> list[str]:
        """The folders of the lake."""
        names = (path.name for path in self._folder.iterdir() if path.is_dir())
        return sorted(name for name in names if not name.startswith("."))

    def read(self, folder: str, name: str) -> bytes:
        """The content of a file. FileNotFoundError where there is none."""
        path = self._folder / folder / name
        with self._readable(path):
            return path.read_bytes()

    read_named = read

    def local(self, folder: str, name: str, size: int) -> Path:
        """Its path."""
        return self._folder / folder / name

    def forget(self, folder: str, name: str) -> bool:
        """There are no copies."""
        return False

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A directory on the disk of the lake; those of a killed process are removed by a
        compaction."""
        with room_on_disk(self._root):
            with self._writable():
                self._folder.mkdir(parents=True, exist_ok=True)
                folder = TemporaryDirectory(prefix=_SCRATCH, dir=self._folder)
            with folder as name:
                yield Path(name)

    def put(self, written: Path, folder: str, name: str) -> None:
        """Sync it, and give it its name."""
        with self._writable():
            with written.open("rb") as file:
                os.fsync(file.fileno())
            written.replace(self._made(folder) / name)
            _sync(self._folder / folder)

    def create(self, written: Path, folder: str, name: str) -> bool:
        """Give it a name that no other file has; False where one has it."""
        with self._writable(), suppress(FileExistsError):
            with written.open("rb") as file:
                os.fsync(file.fileno())
            os.link(written, self._made(folder) / name)
            _sync(self._folder / folder)
            return True
        return False

    def written_at(self, folder: str) -> dict[str, float]:
        """Their times of modification; inf where one was deleted meanwhile."""
        return {name: _time_of(self._folder / folder / name) for name in self.names(folder)}

    def delete(self, folder: str, name: str, before: float) -> int:
        """Delete a file that was written before this time, and say how many bytes it had."""
        path = self._folder / folder / name
        if _time_of(path) >= before:
            return 0
        size = path.stat().st_size
        path.unlink()
        return size

    def sweep(self, before: float) -> None:
        """Delete scratch directories."""
        for path in self._folder.glob(f"{_SCRATCH}*"):
            if path.stat().st_mtime < before:
                shutil.rmtree(path, ignore_errors=True)

    def _made(self, folder: str) -> Path:
        path = self._folder / folder
        if not path.is_dir():
            path.mkdir(exist_ok=True)
            _sync(self._folder)
        return path

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
            raise PerfduckError.at(self._root, expected=expected, got=error.strerror) from error


def _time_of(path: Path) -> float:
    """When a file was written; inf where there is none, or a directory, which no lake has."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return float("inf")
    return float("inf") if stat.S_ISDIR(state.st_mode) else state.st_mtime


def _sync(folder: Path) -> None:
    """Have the disk know the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
