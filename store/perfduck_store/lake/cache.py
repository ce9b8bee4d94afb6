"""Copies of files of lakes in buckets, on this machine: files that are named by their content never
change, so each is fetched once.

    $XDG_CACHE_HOME/perfduck/lakes/BUCKET-KEY/v8/sample/HASH.parquet

May be deleted at any time when nobody reads.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from perfduck_model.errors import PerfduckError, room_on_disk
from perfduck_model.limits import limits

_SCRATCH = ".writing-"
_IN_USE_S = 3600.0  # after the last use: a command may still read it
_ABANDONED_S = 86_400.0


class LakeCache:
    """The copies of the files of one lake."""

    def __init__(self, *key: str) -> None:
        """`key`: what tells the lake from all others; it begins with a name for people. Nothing is
        made yet."""
        self._root = _cache_folder()
        self.folder = self._root / f"{key[0]}-{sha256(repr(key).encode()).hexdigest()[:12]}"
        self._is_trimmed = False

    def used(self, folder: str, name: str) -> Path | None:
        """A copy, which is not deleted for an hour from now on; None where there is none."""
        path = self.folder / folder / name
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._refusal(error) from error
        return path

    def keep(self, written: Path, folder: str, name: str) -> Path:
        """Move a file of the scratch directory among the copies."""
        path = self.folder / folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return written.replace(path)
        except OSError as error:
            raise self._refusal(error) from error

    def forget(self, folder: str, name: str) -> bool:
        """Delete a copy; whether there was one."""
        try:
            (self.folder / folder / name).unlink()
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A directory for files that are being written or fetched."""
        with room_on_disk(self._root):
            try:
                self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
                folder = TemporaryDirectory(prefix=_SCRATCH, dir=self._root)
            except OSError as error:
                raise self._refusal(error) from error
            with folder as name:
                yield Path(name)

    def make_room(self) -> None:
        """Once a process: delete what was used longest ago, until the rest is within the bound of
        limits.py, and what killed processes have left."""
        if self._is_trimmed:
            return
        self._is_trimmed = True
        now = time.time()
        for path in self._root.glob(f"{_SCRATCH}*"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < now - _ABANDONED_S:
                    shutil.rmtree(path, ignore_errors=True)
        files = sorted(_files(self._root), key=lambda each: -each[0])
        size = 0
        for used, more, path in files:
            size += more
            if size > limits.most_cached_bytes and used < now - _IN_USE_S:
                path.unlink(missing_ok=True)

    def _refusal(self, error: OSError) -> PerfduckError:
        expected = "a directory for copies of a lake's files ($XDG_CACHE_HOME)"
        return PerfduckError.at(self._root, expected=expected, got=error.strerror)


def _cache_folder() -> Path:
    """As the XDG Base Directory Specification says: a relative path counts as none."""
    folder = Path(os.environ.get("XDG_CACHE_HOME", ""))
    home = folder if folder.is_absolute() else Path("~/.cache").expanduser()
    return home / "perfduck" / "lakes"


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """When each copy was last used, and its bytes."""
    for path in folder.glob("[!.]*/*/*/*"):
        with suppress(FileNotFoundError):
            state = path.stat()
            yield state.st_mtime, state.st_size, path
