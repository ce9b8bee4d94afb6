"""The files of a lake, in a place that many processes, and machines, write at once.

    v8/                        the schema version
      sample/HASH.parquet      parts: rows of one table, never changed
      commits/HASH.json        what a writer added; see log.py
      manifests/HASH.json      what a compaction made of all commits before it
      generations/00000001     the hash of the manifest of each generation; the highest is valid

A file is named by the xxh3-128 of its bytes, so writing it twice is writing it once, and damage is
noticed.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import xxhash

from perfduck_model.errors import PerfduckError
from perfduck_store import parts as modules
from perfduck_store.duckdb.schema import SCHEMA_VERSION, mismatch
from perfduck_store.lake.address import S3
from perfduck_store.lake.directory import DirectoryStorage
from perfduck_store.lake.storage import LakeStorage, PartIsMissing

FIRST_VERSION = 7  # the schema version of the first lakes
COMMITS, MANIFESTS, GENERATIONS = "commits", "manifests", "generations"
_VERSION = re.compile(r"v(\d+)")
_HASH = re.compile(r"[0-9a-f]{32}")
_AT_ONCE = 1 << 22

Given = TypeVar("Given")
Got = TypeVar("Got")


class LakeFiles:
    """The files of a lake of a schema version, by name: `sample/HASH.parquet`. `versions`: those
    that the lake has folders of, each for the machines whose perfduck has it."""

    def __init__(self, root: Path | str, version: int = SCHEMA_VERSION) -> None:
        """Of a directory, or s3://BUCKET/PREFIX. PerfduckError where the place is that of something
        else, or of a lake that can be neither read nor upgraded. There may be none yet."""
        self.root = str(root)
        self._version = version
        self._storage = storage_of(self.root, version)
        self._checked: set[str] = set()
        self._sending: dict[tuple[str, str], Future[None]] = {}
        self.versions = self._versions(self._storage.top())
        self.exists = version in self.versions

    @property
    def older_versions(self) -> list[int]:
        """The older schema versions that the lake has folders of."""
        return [each for each in self.versions if FIRST_VERSION <= each < self._version]

    @property
    def newer_versions(self) -> list[int]:
        """The newer ones."""
        return [each for each in self.versions if each > self._version]

    @property
    def local_folder(self) -> Path:
        """The folder that all parts are below, where they are read."""
        return self._storage.local_folder

    def where(self, folder: str, name: str) -> str:
        """The address of a file, for a message."""
        return self._storage.where(folder, name)

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder, sorted; none where there is none."""
        return self._storage.names(folder)

    def folders(self) -> list[str]:
        """The folders of the lake."""
        return self._storage.folders()

    def read(self, folder: str, name: str) -> bytes:
        """The content of a file that is named by it. FileNotFoundError where it was deleted."""
        content = self._storage.read_named(folder, name)
        if xxhash.xxh3_128_hexdigest(content) == name.partition(".")[0]:
            return content
        if self._storage.forget(folder, name):
            return self.read(folder, name)
        raise self._damaged(folder, name)

    def pointer(self, generation: str) -> str:
        """The hash of the manifest of a generation. FileNotFoundError where it was deleted."""
        content = self._storage.read(GENERATIONS, generation).decode("ascii", "replace").strip()
        if not _HASH.fullmatch(content):
            where = self.where(GENERATIONS, generation)
            raise PerfduckError.at(where, expected="the hash of a manifest", got=repr(content[:40]))
        return content

    def parts(self, table: str, sizes: Iterable[tuple[str, int]]) -> list[Path]:
        """Parts to read, whole and undamaged, by their hashes and bytes. PerfduckError where one is
        not."""
        return self.each(lambda part: self._part(table, *part), sizes)

    def each(self, ask: Callable[[Given], Got], about: Iterable[Given]) -> list[Got]:
        """The answers of a function that asks for a file each, some at a time."""
        listed = list(about)
        if self._storage.at_once == 1 or len(listed) < 2:
            return [ask(each) for each in listed]
        with ThreadPoolExecutor(self._storage.at_once) as pool:
            return list(pool.map(ask, listed))

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A directory for files that are being written. PerfduckError at the end where something
        that was published is not there."""
        with self._storage.scratch() as folder, ThreadPoolExecutor(self._storage.at_once) as pool:
            self._senders, self._sending = pool, {}
            yield folder
            self.sent()

    def publish(self, written: Path, folder: str, ending: str) -> str:
        """Give a file of the scratch directory the place of its content, and say its hash. It is
        there when `sent` ends."""
        name = _hash_of(written)
        key = folder, f"{name}.{ending}"
        if key not in self._sending:  # recordings may have the same functions
            named = written.replace(written.with_name(f"{name}.{folder}"))
            self._sending[key] = self._senders.submit(self._storage.put, named, *key)
        return name

    def sent(self) -> None:
        """Wait until all that was published is there. PerfduckError where something is not."""
        for each in self._sending.values():
            each.result()
        self._sending = {}

    def create_pointer(self, written: Path, generation: str) -> bool:
        """Give a file with the hash of a manifest the name of a generation; False where another has
        it. One that has the same hash is this one: its first answer was lost on the way."""
        wanted = written.read_text().strip()
        if self._storage.create(written, GENERATIONS, generation):
            return True
        with suppress(FileNotFoundError):
            return self.pointer(generation) == wanted
        return False

    def older(self, folder: str, before: float) -> list[str]:
        """The names of files that were written before a time."""
        times = self._storage.written_at(folder)
        return sorted(name for name, written in times.items() if written < before)

    def delete(self, folder: str, names: Iterable[str], before: float) -> list[int]:
        """Delete files that were written before a time, and say how many bytes each had; 0 where it
        was written again since."""
        return self.each(lambda name: self._storage.delete(folder, name, before), names)

    def sweep(self, before: float) -> None:
        """Delete what processes have left that were killed before a time."""
        self._storage.sweep(before)

    def _part(self, table: str, name: str, size: int) -> Path:
        file = f"{name}.parquet"
        where = self.where(table, file)
        try:
            path = self._storage.local(table, file, size)
            if name in self._checked:
                return path
            is_whole = _is_whole(path, name, size)
        except FileNotFoundError as error:
            raise PartIsMissing.of(where, error.strerror) from error
        except OSError as error:
            expected = "a part of the lake"
            raise PerfduckError.at(where, expected=expected, got=error.strerror) from error
        if is_whole:
            self._checked.add(name)
            return path
        if self._storage.forget(table, file):
            return self._part(table, name, size)
        raise self._damaged(table, file)

    def _damaged(self, folder: str, name: str) -> PerfduckError:
        where, expected = self.where(folder, name), "the content that the file is named by"
        return PerfduckError.at(where, expected=expected, got="another")

    def _versions(self, names: list[str]) -> list[int]:
        """The schema versions that there are."""
        where = self._storage.where()
        versions = sorted(int(match[1]) for name in names if (match := _VERSION.fullmatch(name)))
        if not versions and names:
            got = f"a directory with {min(names)}"
            raise PerfduckError.at(where, expected="a lake or an empty directory", got=got)
        if versions and self._version not in versions:
            if reason := mismatch(versions[-1]):
                message = f"{where}: {reason}"
                raise PerfduckError(message)
            if versions[-1] < FIRST_VERSION:
                expected = f"a lake of schema version {self._version}"
                raise PerfduckError.at(where, expected=expected, got=versions[-1])
        return versions


def storage_of(root: str, version: int = SCHEMA_VERSION) -> LakeStorage:
    """Where the files of a lake are; nothing is asked yet. PerfduckError for a bucket without keys,
    or without the package that asks it."""
    folder = f"v{version}"
    if root.startswith(S3):
        storage: LakeStorage = modules.s3.S3Storage(root, folder)
        return storage
    return DirectoryStorage(Path(root), folder)


def _is_whole(path: Path, name: str, size: int) -> bool:
    return path.stat().st_size == size and _hash_of(path) == name


def _hash_of(path: Path) -> str:
    hashed = xxhash.xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(_AT_ONCE):
            hashed.update(chunk)
    return hashed.hexdigest()
