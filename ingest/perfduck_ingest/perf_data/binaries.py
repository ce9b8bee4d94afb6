"""Where the symbols of a recording's binaries are: found by build id or by path.

    ~/.debug/.build-id/8d/0c9a.../elf         what perf record kept
    /usr/lib/debug/.build-id/8d/0c9a....debug
    the path itself, and what its .gnu_debuglink names: /usr/bin/.debug/python3.debug
    /tmp/perf-4711.map                        what a just-in-time compiler wrote

A file whose build id is not the recorded one is not used.
"""

import ctypes
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from perfduck_ingest.importer import Options
from perfduck_ingest.perf_data.dsos import Dso
from perfduck_symbols.addresses import EMPTY, SymbolTable
from perfduck_symbols.elf import BROKEN, Elf, open_elf
from perfduck_symbols.elf_header import SHT_DYNSYM, SHT_SYMTAB
from perfduck_symbols.elf_symbols import symbol_table
from perfduck_symbols.errors import SymbolError

HERE = Path("/")  # where the paths of a recording lead to
_DEBUG = "usr/lib/debug"
_VDSO = "[vdso]"


class Binaries:
    """Opens the user binaries of a recording."""

    def __init__(self, options: Options) -> None:
        self.build_ids: dict[str, str] = {}  # which file a name meant when it was recorded
        self._directories = options.symbol_dirs
        self._tables: dict[str, SymbolTable] = {}  # by build id: a library lies in many places

    def open(self, name: str) -> Dso:
        """A binary by the name that perf prints."""
        return Dso(name, self._table(name))

    def _table(self, name: str) -> SymbolTable:
        if name.startswith("/tmp/perf-") and name.endswith(".map"):
            return perf_map(HERE / name[1:])
        if not name.startswith("/") and name != _VDSO:
            return EMPTY
        build_id = self.build_ids.get(name)
        if build_id is None or build_id not in self._tables:
            table = self._read(name)
            if build_id is None:
                return table
            self._tables[build_id] = table
        return self._tables[build_id]

    def _read(self, name: str) -> SymbolTable:
        symbols, runtime = self._chosen(name)
        if symbols is None or runtime is None:
            return _vdso_table(self.build_ids.get(name)) if name == _VDSO else EMPTY
        return _table_or_nothing(symbols, runtime)

    def _chosen(self, name: str) -> tuple[Elf | None, Elf | None]:
        """The file with the symbols, and the one that ran: the first with .symtab and the first
        with .dynsym."""
        symbols: Elf | None = None
        runtime: Elf | None = None
        for elf in self._files(name):
            symbols = symbols or (elf if _has(elf, ".symtab", SHT_SYMTAB) else None)
            runtime = runtime or (elf if _has(elf, ".dynsym", SHT_DYNSYM) else None)
            if symbols and runtime:
                break
        return symbols or runtime, runtime or symbols

    def _files(self, name: str) -> Iterator[Elf]:
        """The files of a binary, each followed by what its debug link leads to."""
        wanted = self.build_ids.get(name)
        if wanted is None and (itself := _opened(HERE / name.lstrip("/"))):
            wanted = itself.build_id
        for path in self._candidates(name, wanted):
            if elf := _opened(path, wanted):
                yield elf
                yield from filter(None, (_opened(link, wanted) for link in _linked(elf)))

    def _candidates(self, name: str, build_id: str | None) -> Iterator[Path]:
        path = name.lstrip("/")
        for directory in self._directories:
            if build_id:
                yield from _by_build_id(directory / ".build-id", build_id)
            yield directory / path
            yield directory / Path(name).name
        if build_id:
            kept = debug_directory() / ".build-id" / build_id[:2] / build_id[2:]
            yield from (kept / "elf", kept / "vdso", kept / "debug")
        yield HERE / _DEBUG / f"{path}.debug"
        yield HERE / _DEBUG / path
        if build_id:
            yield from _by_build_id(HERE / _DEBUG / ".build-id", build_id)
        yield HERE / path


def _opened(path: Path, build_id: str | None = None) -> Elf | None:
    """The file, if it is that of the build id."""
    try:
        elf = open_elf(path)
    except SymbolError:
        return None
    return elf if not build_id or elf.build_id == build_id else None


def _linked(elf: Elf) -> Iterator[Path]:
    """Where the symbols may be that were split off: .gnu_debuglink names their file."""
    if elf.debug_link:
        folder = elf.path.parent
        yield folder / elf.debug_link
        yield folder / ".debug" / elf.debug_link
        yield HERE / _DEBUG / str(folder).lstrip("/") / elf.debug_link


def _has(elf: Elf, name: str, kind: int) -> bool:
    section = elf.find(name)
    return section is not None and section.type == kind


def _table_or_nothing(symbols: Elf, runtime: Elf) -> SymbolTable:
    try:
        return symbol_table(symbols, runtime)
    except BROKEN:
        return EMPTY


def debug_directory() -> Path:
    """Where perf record keeps what it recorded from."""
    return Path("~/.debug").expanduser()


def _by_build_id(directory: Path, build_id: str) -> Iterator[Path]:
    place = directory / build_id[:2] / build_id[2:]
    yield place.with_name(f"{place.name}.debug")
    yield place


def perf_map(path: Path) -> SymbolTable:
    """The functions of a just-in-time compiler: lines of start, size (hexadecimal) and name."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return EMPTY
    rows = sorted(filter(None, map(_map_entry, lines)), key=lambda row: row[0])
    names = [name for _, _, name in rows]
    return SymbolTable(
        np.array([start for start, _, _ in rows], np.uint64),
        np.array([min(start + size, (1 << 64) - 1) for start, size, _ in rows], np.uint64),
        lambda place: names[place].decode("utf-8", "backslashreplace"),
    )


def _map_entry(line: bytes) -> tuple[int, int, bytes] | None:
    fields = line.split(b" ", 2)
    try:
        start, size = int(fields[0], 16), int(fields[1], 16)
    except (IndexError, ValueError):
        return None
    if len(fields) < 3 or not fields[2] or start >> 64 or size >> 64:
        return None
    return start, size, fields[2]


def _vdso_table(build_id: str | None) -> SymbolTable:
    """That of the running kernel, if it is the recorded one."""
    image = _own_vdso()
    if image is None:
        return EMPTY
    with tempfile.NamedTemporaryFile() as file:
        file.write(image)
        file.flush()
        elf = _opened(Path(file.name), build_id)
        return EMPTY if elf is None else _table_or_nothing(elf, elf)


def _own_vdso() -> bytes | None:
    try:
        for line in Path("/proc/self/maps").read_text().splitlines():
            if line.endswith("[vdso]"):
                start, end = (int(part, 16) for part in line.split()[0].split("-"))
                return ctypes.string_at(start, end - start)
    except (OSError, ValueError):
        return None
    return None
