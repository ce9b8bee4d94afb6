"""Regular files below a directory that the user gave, and those of a machine that may name
addresses of what was recorded on it. Links may lead anywhere, and names come from a recording,
which may be anyone's.

    inside(DIR, "usr/lib/libc.so.6")    None where that is a link out of DIR, or ../../etc/passwd
    walk(/, ...)                        never enters /proc, /sys, /dev, and follows no link
    HostFiles().regular(NAME)           /usr/bin/python3, /usr/lib/debug/..., /proc/kallsyms, ...

Whoever reads recordings of other machines has no HostFiles and passes None.
"""

import ctypes
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct, field

from perfduck_symbols.elf_header import build_id_of_notes

# Mounted below the root of a system, or of a container, these are no files of anyone's.
_PSEUDO = ("proc", "sys", "dev", "run")


def inside(directory: Path, name: str | Path) -> Path | None:
    """The regular file of this name below a directory, links followed; None where there is none,
    or a link leads out of the directory."""
    path = _real(directory / str(name).lstrip("/"))
    is_inside = path is not None and path.is_relative_to(os.path.realpath(directory))
    return path if path is not None and is_inside and is_regular(path) else None


def _real(path: Path) -> Path | None:
    try:
        return Path(os.path.realpath(path))
    except ValueError:  # a name with a zero byte
        return None


def is_regular(path: Path) -> bool:
    """Whether the path leads to a regular file: opening a FIFO waits, reading a device may not
    end."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def walk(
    directory: Path,
    is_wanted: Callable[[str], bool],
    is_mount: Callable[[Path], bool] = Path.is_mount,
) -> Iterator[Path]:
    """The regular files below a directory whose names are wanted, sorted within each folder."""
    for name, folders, names in os.walk(directory):
        folder = Path(name)
        folders[:] = sorted(one for one in folders if not _is_pseudo(folder / one, is_mount))
        for path in (folder / one for one in sorted(filter(is_wanted, names))):
            if inside(directory, path.relative_to(directory)):
                yield path


def _is_pseudo(path: Path, is_mount: Callable[[Path], bool]) -> bool:
    return path.name in _PSEUDO and (path.absolute().parent == Path("/") or is_mount(path))


_THIS_MACHINE = Path("/")


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:  # a user of a container without $HOME and without an entry in passwd
        return None


class HostFiles(Struct, frozen=True):
    """The files of this machine, or of one whose root file system is mounted at `root`."""

    root: Path = _THIS_MACHINE
    home: Path | None = field(default_factory=_home)

    def path(self, name: str) -> Path:
        """The path of a file by its absolute name there."""
        return self.root / name.lstrip("/")

    def regular(self, name: str, *, in_home: bool = False) -> Path | None:
        """The path of a regular file below the root or the home directory; None where there is
        none, or it is not below."""
        if not in_home and self.root != _THIS_MACHINE:
            return inside(self.root, name)
        base = self.home if in_home else self.root
        path = base and base / name.lstrip("/")
        return path if path and is_regular(path) else None

    @property
    def kallsyms(self) -> Path:
        """The symbols of the kernel that runs."""
        return self.path("proc/kallsyms")

    @property
    def kernel_build_id(self) -> str | None:
        """That of the kernel that runs; None where it cannot be read."""
        try:
            return build_id_of_notes(self.path("sys/kernel/notes").read_bytes())
        except OSError:
            return None

    @property
    def vdso(self) -> bytes | None:
        """The code that the running kernel puts into every process: that of this one."""
        if self.root != _THIS_MACHINE:
            return None
        try:
            for line in Path("/proc/self/maps").read_text().splitlines():
                if line.endswith("[vdso]"):
                    start, end = (int(part, 16) for part in line.split()[0].split("-"))
                    return ctypes.string_at(start, end - start)
        except (OSError, ValueError):
            return None
        return None
