"""The files of a machine that may name addresses of what was recorded on it.

    /usr/bin/python3, /usr/lib/debug/...      programs, libraries and their debug files
    ~/.debug/.build-id/8d/0c9a.../elf         what perf record kept
    /sys/kernel/notes, /proc/kallsyms         of the kernel that runs

Whoever reads recordings of other machines has no HostFiles and passes None.
"""

import ctypes
from dataclasses import dataclass, field
from pathlib import Path

from perfduck_symbols.files import inside, is_regular

_THIS_MACHINE = Path("/")


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:  # a user of a container without $HOME and without an entry in passwd
        return None


@dataclass(frozen=True, slots=True)
class HostFiles:
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
        from perfduck_symbols.elf import build_id_of_notes  # an import of text reads no ELF file

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
