"""The files of a directory or of a tar archive. No member is written under its name: large ones lie
in a temporary file without a name.

    pod-flat-q/oprofile_data/abi
    pod-flat-q/oprofile_data/samples/operf.log
    pod-flat-q/oprofile_data/samples/current/{root}/usr/bin/iperf3/{dep}/{root}/proc/kallsyms/...

An archive may come from anyone: absolute paths and `..` are refused, links and devices are left
out and named, and the number and the sum of the sizes of its members are bounded.
"""

import io
import os
import shutil
import tarfile
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from perfduck_ingest.source import Source
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class _OnDisk:
    """A member of an archive in a temporary file."""

    file: IO[bytes]
    start: int
    size: int

    def read(self, most: int | None = None) -> bytes:
        self.file.seek(self.start)
        return self.file.read(self.size if most is None else min(self.size, most))


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Files:
    """Relative path -> content, or where it lies; and what was left out, with the reason."""

    contents: dict[str, bytes | Path | _OnDisk] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def read(self, path: str) -> bytes:
        """The content of a file of this tree."""
        content = self.contents[path]
        if isinstance(content, bytes):
            return content
        try:
            size = content.size if isinstance(content, _OnDisk) else content.stat().st_size
            if size > limits.most_file_bytes:
                most = f"{limits.most_file_bytes >> 20} MB"
                raise PerfduckError.at(
                    path, expected=f"a file of at most {most}", got="a larger one"
                )
            return content.read() if isinstance(content, _OnDisk) else content.read_bytes()
        except OSError as error:
            raise PerfduckError.at(
                content, expected="a readable file", got=error.strerror
            ) from error

    def is_in_archive(self, path: str, magic: bytes) -> bool:
        """Whether a member of an archive begins so."""
        content = self.contents[path]
        if isinstance(content, _OnDisk):
            content = content.read(len(magic))
        return isinstance(content, bytes) and content.startswith(magic)


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
    if number > limits.most_files:
        raise PerfduckError.at(name, expected=f"at most {limits.most_files} files", got="more")


class _Stream(io.RawIOBase):
    """The chunks of a source as the file that tarfile reads, no larger than an archive may be."""

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
    if size > limits.most_archive_bytes:
        most = f"{limits.most_archive_bytes} bytes"
        raise PerfduckError.at(name, expected=f"an archive of at most {most} unpacked", got="more")


class _Member(tarfile.TarInfo):
    """A member whose extended headers and long names, which tarfile reads whole, are bounded."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Member":
        """The header of 512 bytes; raises tarfile.ReadError where more belongs to it than may."""
        header = super().frombuf(buf, encoding, errors)
        is_file = header.type in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
        if not is_file and header.size > limits.most_tar_header_bytes:
            most = f"{limits.most_tar_header_bytes >> 20} MB"
            message = f"a header of {header.size} bytes, more than {most}"
            raise tarfile.ReadError(message)
        return header


@dataclass(slots=True)
class _Archive:
    """Takes the members of an archive, in memory as far as that is allowed."""

    name: str
    files: Files = field(default_factory=Files)
    disk: IO[bytes] | None = None
    on_disk: int = 0  # bytes
    in_memory: int = 0

    def add(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts:
            raise PerfduckError.at(
                self.name, expected="paths inside the archive", got=f"{member.name[:200]!r}"
            )
        if member.issym() or member.islnk():
            self.files.left_out[str(path)] = "a link"
        elif member.issparse() or not (member.isreg() or member.isdir()):
            self.files.left_out[str(path)] = "not a regular file"
        elif member.isreg():
            content = archive.extractfile(member)
            self.files.contents[str(path)] = self._kept(content, member.size) if content else b""

    def _kept(self, content: IO[bytes], size: int) -> bytes | _OnDisk:
        most = min(limits.most_member_in_memory, limits.most_memory_of_members - self.in_memory)
        if size <= most:
            self.in_memory += size
            return content.read()
        if self.disk is None:
            self.disk = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the files
            weakref.finalize(self.files, self.disk.close)
        shutil.copyfileobj(content, self.disk, _CHUNK)
        self.on_disk += size
        return _OnDisk(self.disk, self.on_disk - size, size)


def _of_archive(source: Source) -> Files:
    members = _Archive(source.name)
    total = 0
    try:
        with tarfile.open(
            fileobj=_Stream(source), mode="r|", errors="replace", tarinfo=_Member
        ) as archive:
            for number, member in enumerate(archive):
                total += member.size
                _check_number(source.name, number + 1)
                _check_size(source.name, total)
                members.add(archive, member)
                archive.members.clear()  # type: ignore[attr-defined]  # it keeps every member
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError) as error:
        raise PerfduckError.at(source.name, expected="a whole tar archive", got=error) from error
    return members.files


def under(files: Files, prefix: str) -> Iterator[str]:
    """The paths of `files` that begin with `prefix`, sorted."""
    return iter(sorted(path for path in files.contents if path.startswith(prefix)))
