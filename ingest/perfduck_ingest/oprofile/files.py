"""The files of a directory or of a tar archive, read in memory: nothing is written anywhere.

    pod-flat-q/oprofile_data/abi
    pod-flat-q/oprofile_data/samples/operf.log
    pod-flat-q/oprofile_data/samples/current/{root}/usr/bin/iperf3/{dep}/{root}/proc/kallsyms/...

An archive may come from anyone: absolute paths and `..` are refused, links and devices are left
out and named, and the number and the sum of the sizes of its members are bounded.
"""

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from perfduck_ingest.source import Source
from perfduck_model.errors import PerfduckError

MOST_FILES = 500_000  # one recording with threads and CPUs apart, on this machine: 650
MOST_BYTES = 1 << 30
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Files:
    """Relative path -> content, or where it lies; and what was left out, with the reason."""

    contents: dict[str, bytes | Path] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def read(self, path: str) -> bytes:
        """The content of a file of this tree."""
        content = self.contents[path]
        if isinstance(content, bytes):
            return content
        try:
            if content.stat().st_size > MOST_BYTES:
                message = f"{path}: expected a file of at most {MOST_BYTES} bytes, got a larger one"
                raise PerfduckError(message)
            return content.read_bytes()
        except OSError as error:
            message = f"{content}: expected a readable file, got {error.strerror}"
            raise PerfduckError(message) from error


def open_files(source: Source, directory: Path) -> Files:
    """The files of the archive that `source` is, or of `directory` if it is one."""
    return _of_directory(source, directory) if source.is_directory else _of_archive(source)


def is_archive(head: bytes) -> bool:
    """Whether `head` begins a tar archive, by the magic and the checksum of its first member."""
    if head[257:262] != b"ustar":
        return False
    try:
        tarfile.TarInfo.frombuf(head[:512], "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        return False
    return True


def _of_directory(source: Source, directory: Path) -> Files:
    files = Files()
    for folder, names, file_names in os.walk(directory):
        names.sort()
        for name in file_names + names:
            path = Path(folder, name)
            relative = _utf8(path.relative_to(directory).as_posix())
            if path.is_symlink():
                files.left_out[relative] = "a link"
            elif path.is_file():
                files.contents[relative] = path
        _check_number(source.name, len(files.contents))
    return files


def _utf8(path: str) -> str:
    """The path with replacement characters where it is no UTF-8: the store keeps text."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _check_number(name: str, number: int) -> None:
    if number > MOST_FILES:
        message = f"{name}: expected at most {MOST_FILES} files, got more"
        raise PerfduckError(message)


class _Stream(io.RawIOBase):
    """The chunks of a source as the file that tarfile reads from, no more than MOST_BYTES."""

    def __init__(self, source: Source) -> None:
        self._name = source.name
        self._chunks = source.chunks(_CHUNK)
        self._rest = b""
        self._total = 0

    def read(self, size: int = -1) -> bytes:
        while not self._rest:
            self._rest = next(self._chunks, b"")
            if not self._rest:
                return b""
            self._total += len(self._rest)
            _check_size(self._name, self._total)
        part, self._rest = self._rest[:size], self._rest[size:]
        return part


def _check_size(name: str, size: int) -> None:
    if size > MOST_BYTES:
        message = f"{name}: expected an archive of at most {MOST_BYTES} bytes unpacked, got more"
        raise PerfduckError(message)


def _of_archive(source: Source) -> Files:
    files = Files()
    total = 0
    try:
        with tarfile.open(fileobj=_Stream(source), mode="r|", errors="replace") as archive:
            for number, member in enumerate(archive):
                total += member.size
                _check_number(source.name, number + 1)
                _check_size(source.name, total)
                _add_member(source.name, files, archive, member)
                archive.members.clear()  # type: ignore[attr-defined]  # it keeps every member
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError) as error:
        message = f"{source.name}: expected a whole tar archive, got {error}"
        raise PerfduckError(message) from error
    return files


def _add_member(name: str, files: Files, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        message = f"{name}: expected paths inside the archive, got {member.name[:200]!r}"
        raise PerfduckError(message)
    if member.issym() or member.islnk():
        files.left_out[str(path)] = "a link"
    elif member.issparse() or not (member.isreg() or member.isdir()):
        files.left_out[str(path)] = "not a regular file"
    elif member.isreg():
        content = archive.extractfile(member)
        files.contents[str(path)] = content.read() if content else b""


def under(files: Files, prefix: str) -> Iterator[str]:
    """The paths of `files` that begin with `prefix`, sorted."""
    return iter(sorted(path for path in files.contents if path.startswith(prefix)))
