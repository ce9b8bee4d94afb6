"""Where the symbols of a recording's binaries are: found by build id or by path.

    DIR/.build-id/8d/0c9a.../elf              what `perf archive` packs, below --symbols
    DIR/usr/lib/libc.so.6, DIR/libc.so.6      and DIR/usr/lib/debug/...
    ~/.debug/.build-id/8d/0c9a.../elf         what perf record kept
    /usr/lib/debug/.build-id/8d/0c9a....debug
    the path itself, and what its .gnu_debuglink names: /usr/bin/.debug/python3.debug
    /tmp/perf-4711.map                        what a just-in-time compiler wrote (jit_maps.py)

A file whose build id is not the recorded one is not used, and one of this machine without a
recorded build id only as host_files.py says.
"""

import ctypes
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.perf_data import jit_maps
from perfduck_ingest.perf_data.dsos import Dso
from perfduck_ingest.perf_data.features import PerfRecording
from perfduck_ingest.perf_data.host_files import HostFiles, debug_directory
from perfduck_ingest.perf_data.simpleperf import RecordedFile
from perfduck_model.errors import SymbolError
from perfduck_symbols.addresses import EMPTY, FileOffsets, SymbolTable
from perfduck_symbols.elf import BROKEN, Elf, open_elf
from perfduck_symbols.elf_header import SHT_DYNSYM, SHT_SYMTAB
from perfduck_symbols.elf_symbols import symbol_table
from perfduck_symbols.files import inside, is_regular

_DEBUG = "usr/lib/debug"
_VDSO = "[vdso]"


class Binaries:
    """Opens the user binaries of a recording."""

    def __init__(self, recording: PerfRecording, options: ImportOptions) -> None:
        self.recording = recording  # says which file a name meant
        self._options = options
        self._tables: dict[str, SymbolTable[FileOffsets]] = {}  # by build id
        self.missing: dict[str, str] = {}  # why the files of these names are not used

    def open(self, name: str) -> Dso[FileOffsets]:
        """A binary by the name that perf prints."""
        return Dso(name, self._table(name))

    @property
    def _host(self) -> HostFiles | None:
        return HostFiles(self.recording) if self._options.host_files else None

    def _table(self, name: str) -> SymbolTable[FileOffsets]:
        if process := jit_maps.process_of(name):
            table = jit_maps.table(process, self._options.symbol_dirs, self._host)
            if table is EMPTY:
                self.missing[name] = "no such map"
            return table
        if not name.startswith("/") and name != _VDSO:
            return EMPTY
        if recorded := self.recording.files.get(name):
            return _recorded_table(recorded)
        build_id = self.recording.build_ids.get(name)
        if build_id is None or build_id not in self._tables:
            table = self._read(name)
            if build_id is None:
                return table
            self._tables[build_id] = table
        return self._tables[build_id]

    def _read(self, name: str) -> SymbolTable[FileOffsets]:
        symbols, runtime = self._chosen(name)
        if symbols is not None and runtime is not None:
            self.missing.pop(name, None)
            return _table_or_nothing(symbols, runtime)
        host = self._host
        if name == _VDSO and host is not None:
            return _vdso_table(self.recording.build_ids.get(name), host)
        return EMPTY

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
        wanted, host = self.recording.build_ids.get(name), self._host
        for directory in self._options.symbol_dirs:
            for path in _given(directory, name, wanted):
                yield from self._used(name, _with_links(path, wanted, [directory]), path)
        if host is None or (wanted is None and not host.allows(name)):
            self.missing.setdefault(name, host.refusal if host else "no such file was given")
            return
        if wanted is None and (itself := _opened(host.path(name))):
            wanted = itself.build_id
        for path in _of_host(host, name, wanted):
            yield from self._used(name, _with_links(path, wanted, [host.root]), path)
        self.missing.setdefault(name, "no such file")

    def _used(self, name: str, found: Iterator[Elf], path: Path) -> Iterator[Elf]:
        first = next(found, None)
        if first is None:
            if is_regular(path):
                self.missing[name] = f"{path} is another build"
            return
        yield first
        yield from found


def _recorded_table(file: RecordedFile) -> SymbolTable[FileOffsets]:
    symbols = sorted(file.symbols)
    return SymbolTable(
        FileOffsets(
            np.array([(start + file.shift) % (1 << 64) for start, _, _ in symbols], np.uint64)
        ),
        np.array(
            [(start + size + file.shift) % (1 << 64) for start, size, _ in symbols], np.uint64
        ),
        lambda place: symbols[place][2].decode("utf-8", "backslashreplace"),
    )


def _given(directory: Path, name: str, build_id: str | None) -> Iterator[Path]:
    """Where a binary may lie below a directory that was given; the directory may be the file."""
    path = name.removesuffix(" (deleted)") if build_id else name
    base = Path(path).name
    if is_regular(directory):
        yield from [directory] if directory.name in (base, f"{base}.debug") else []
        return
    places = [path, base, f"{base}.debug", f"{_DEBUG}{path}.debug", f"{_DEBUG}{path}"]
    if build_id:
        by_id = f".build-id/{build_id[:2]}/{build_id[2:]}"
        kept = [f"{by_id}/elf", f"{by_id}/vdso", f"{by_id}/debug", f"{path}/{build_id}/elf"]
        places = [f"{by_id}.debug", by_id, f"{_DEBUG}/{by_id}.debug", *kept, *places]
    yield from filter(None, (inside(directory, place) for place in places))


def _of_host(host: HostFiles, name: str, build_id: str | None) -> Iterator[Path]:
    if build_id:
        kept = debug_directory() / ".build-id" / build_id[:2] / build_id[2:]
        yield from (kept / "elf", kept / "vdso", kept / "debug")
    yield host.path(f"{_DEBUG}{name}.debug")
    yield host.path(f"{_DEBUG}{name}")
    if build_id:
        yield from _by_build_id(host.path(f"{_DEBUG}/.build-id"), build_id)
    yield host.path(name)


def _with_links(path: Path, build_id: str | None, roots: list[Path]) -> Iterator[Elf]:
    if elf := _opened(path, build_id):
        yield elf
        links = (_opened(link, build_id) for root in roots for link in _linked(elf, root))
        yield from filter(None, links)


def _opened(path: Path, build_id: str | None = None) -> Elf | None:
    """The file, if it is that of the build id."""
    try:
        elf = open_elf(path)
    except SymbolError:
        return None
    return elf if not build_id or elf.build_id == build_id else None


def _linked(elf: Elf, root: Path) -> Iterator[Path]:
    """Where the symbols may be that were split off: .gnu_debuglink names their file."""
    if elf.debug_link:
        folder = elf.path.parent
        yield folder / elf.debug_link
        yield folder / ".debug" / elf.debug_link
        below = str(folder).removeprefix(str(root)).lstrip("/")
        yield root / _DEBUG / below / elf.debug_link


def _has(elf: Elf, name: str, kind: int) -> bool:
    section = elf.find(name)
    return section is not None and section.type == kind


def _table_or_nothing(symbols: Elf, runtime: Elf) -> SymbolTable[FileOffsets]:
    try:
        return symbol_table(symbols, runtime)
    except BROKEN:
        return EMPTY


def _by_build_id(directory: Path, build_id: str) -> Iterator[Path]:
    place = directory / build_id[:2] / build_id[2:]
    yield place.with_name(f"{place.name}.debug")
    yield place


def _vdso_table(build_id: str | None, host: HostFiles) -> SymbolTable[FileOffsets]:
    """That of the running kernel, if it is the recorded one."""
    if build_id is None and not host.runs_the_kernel:
        return EMPTY
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
