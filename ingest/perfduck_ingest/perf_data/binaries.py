"""The symbols of a recording's binaries, in the files that perf would find (file_finder.PERF).

    DIR/.build-id/8d/0c9a.../elf              what `perf archive` packs, below --symbols
    DIR/usr/lib/libc.so.6, DIR/libc.so.6      and DIR/usr/lib/debug/...
    ~/.debug/.build-id/8d/0c9a.../elf         what perf record kept
    the path itself, and what its .gnu_debuglink names: /usr/bin/.debug/python3.debug

Of the same files the first with debug information says which functions were inlined.

A file whose build id is not the recorded one is not used, and one of this machine without a
recorded build id only as recorded_host.py says.

What a just-in-time compiler made is in the map file it writes, /tmp/perf-4711.map, with lines of
start, size and name: `7f0000000000 40 LBusy;::main`.

    DIR/tmp/perf-4711.map, DIR/perf-4711.map     below --symbols
    DIR/4711/perf-1.map, DIR/4711/tmp/...        of a process that had another number in its
                                                 container: the map of process 4711
    /tmp/perf-4711.map                           on the recorded machine, or in the container that
                                                 still runs there
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from perfduck_ingest.perf_data.dsos import Dso
from perfduck_ingest.perf_data.features import PerfRecording
from perfduck_ingest.perf_data.inlined import (
    DebugInformation,
    Inlined,
    has_debug_information,
    of_binary,
)
from perfduck_ingest.perf_data.recorded_host import RecordedHost
from perfduck_ingest.perf_data.simpleperf import RecordedFile
from perfduck_ingest.perf_data.symbol_places import SymbolPlaces
from perfduck_model.errors import SymbolError
from perfduck_model.limits import limits
from perfduck_model.small_file import UserFile
from perfduck_symbols.addresses import EMPTY, FileOffsets, SymbolTable
from perfduck_symbols.compression import unpacked
from perfduck_symbols.elf import BROKEN, Elf, opened_or_none
from perfduck_symbols.elf_header import SHT_DYNSYM, SHT_SYMTAB
from perfduck_symbols.elf_symbols import symbol_table
from perfduck_symbols.file_finder import PERF, FileFinder
from perfduck_symbols.files import HostFiles

_VDSO = "[vdso]"
_JIT_MAP = re.compile(r"/tmp/perf-(\d+)\.map")
_Read = tuple[SymbolTable[FileOffsets], Inlined | None]


class Binaries:
    """Opens the user binaries of a recording."""

    def __init__(
        self, recording: PerfRecording, places: SymbolPlaces, *, inline: bool = False
    ) -> None:
        """`inline`: look for debug information, which says which functions were inlined."""
        self.recording = recording  # says which file a name meant
        self._inline = inline
        self._finder = FileFinder(places.directories, PERF, places.host_files)
        self._read_files: dict[str, _Read] = {}  # by build id
        self.missing: dict[str, str] = {}  # why the files of these names are not used

    def open(self, name: str) -> Dso[FileOffsets]:
        """A binary by the name that perf prints."""
        table, inlined = self._read(name)
        return Dso(name, table, inlined=inlined)

    def files(self, name: str) -> Iterator[Elf]:
        """The files of a binary, each followed by what its debug link leads to; none of memory
        without a file, or of code of a just-in-time compiler."""
        if name == _VDSO:
            yield from filter(None, [self._vdso()])
        elif name.startswith("/") and not _process_of_map(name):
            yield from self._files(name)

    @property
    def has_given_files(self) -> bool:
        """Whether a binary that was asked for, or a map, is below the places that the user gave."""
        return self._finder.has_recorded

    @property
    def _host(self) -> RecordedHost | None:
        files = self._finder.host
        return RecordedHost(files, self.recording) if files is not None else None

    def _read(self, name: str) -> _Read:
        if process := _process_of_map(name):
            table = _jit_functions(process, self._finder, self._host)
            if table is EMPTY:
                self.missing[name] = "no such map"
            return table, None
        if not name.startswith("/") and name != _VDSO:
            return EMPTY, None
        if recorded := self.recording.files.get(name):
            return _recorded_table(recorded), None
        build_id = self.recording.build_ids.get(name)
        if build_id is None:
            return self._read_file(name)
        if build_id not in self._read_files:
            self._read_files[build_id] = self._read_file(name)
        return self._read_files[build_id]

    def _read_file(self, name: str) -> _Read:
        if name == _VDSO:
            vdso = self._vdso()
            return (EMPTY if vdso is None else _table_or_nothing(vdso, vdso)), None
        symbols, runtime, debug = self._chosen(name)
        if symbols is None or runtime is None:
            return EMPTY, None
        self.missing.pop(name, None)
        table = _table_or_nothing(symbols, runtime)
        if debug is None:
            return table, None
        return table, of_binary(DebugInformation(debug, self._shared(debug)), runtime)

    def _shared(self, debug: Elf) -> Elf | None:
        """What the debug information of several binaries shares (dwz), if it is there."""
        if debug.shared_debug is None:
            return None
        name, build_id = debug.shared_debug
        opened = (
            _opened(path, build_id) for path in self._finder.shared(debug.path, name, build_id)
        )
        return next(filter(None, opened), None)

    def _vdso(self) -> Elf | None:
        """That of the running kernel, if it is the recorded one."""
        build_id, host = self.recording.build_ids.get(_VDSO), self._host
        if host is None or (build_id is None and not host.runs_the_kernel):
            return None
        image = host.files.vdso
        if image is None:
            return None
        with tempfile.NamedTemporaryFile() as file:
            file.write(image)
            file.flush()
            return _opened(Path(file.name), build_id)

    def _chosen(self, name: str) -> tuple[Elf | None, Elf | None, Elf | None]:
        """The file with the symbols, the one that ran, and the one with debug information: the
        first with .symtab, the first with .dynsym, and the first with .debug_info, if that is
        wanted."""
        symbols: Elf | None = None
        runtime: Elf | None = None
        debug: Elf | None = None
        for elf in self._files(name):
            symbols = symbols or (elf if _has(elf, ".symtab", SHT_SYMTAB) else None)
            runtime = runtime or (elf if _has(elf, ".dynsym", SHT_DYNSYM) else None)
            if self._inline and debug is None and has_debug_information(elf):
                debug = elf
            if symbols and runtime and (debug or not self._inline):
                break
        return symbols or runtime, runtime or symbols, debug

    def _files(self, name: str) -> Iterator[Elf]:
        """The files of a binary, each followed by what its debug link leads to."""
        build_id, host = self.recording.build_ids.get(name), self._host
        # Of a file that was deleted only the build id tells that another one is the same.
        recorded_path = name.removesuffix(" (deleted)") if build_id else name
        for path in self._finder.binary(recorded_path, build_id):
            yield from self._used(name, path, build_id)
        if host is None or (build_id is None and not host.allows(name)):
            self.missing.setdefault(name, host.refusal if host else "no such file was given")
            return
        if build_id is None and (itself := _opened(host.files.path(name))):
            build_id = itself.build_id
        for path in self._finder.on_host(name, build_id):
            yield from self._used(name, path, build_id)
        self.missing.setdefault(name, "no such file")

    def _used(self, name: str, path: Path, build_id: str | None) -> Iterator[Elf]:
        """The file, if it is of the build, and what its debug link leads to."""
        elf = _opened(path, build_id)
        if elf is None:
            self.missing[name] = f"{path} is another build"
            return
        yield elf
        if elf.debug_link:
            links = self._finder.debug(path, build_id, elf.debug_link)
            yield from filter(None, (_opened(link, elf.build_id) for link in links))


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


def _opened(path: Path, build_id: str | None = None) -> Elf | None:
    """The file, if it is that of the build id."""
    elf = opened_or_none(path)
    return elf if elf and (not build_id or elf.build_id == build_id) else None


def _has(elf: Elf, name: str, kind: int) -> bool:
    section = elf.find(name)
    return section is not None and section.type == kind


def _table_or_nothing(symbols: Elf, runtime: Elf) -> SymbolTable[FileOffsets]:
    try:
        return symbol_table(symbols, runtime)
    except BROKEN:
        return EMPTY


def is_compiled(dso: str) -> bool:
    """Whether this is memory without a file, where a just-in-time compiler has its code."""
    return _process_of_map(dso) is not None


def _process_of_map(dso: str) -> int | None:
    """The process whose map this is; None for another dso."""
    match = _JIT_MAP.fullmatch(dso)
    return int(match[1]) if match else None


def _jit_functions(
    process: int, finder: FileFinder, host: RecordedHost | None
) -> SymbolTable[FileOffsets]:
    """The functions of a process; none where there is no map of it."""
    path = next(finder.jit_maps(process), None) or (host and next(_of_host(process, host), None))
    return _map_table(path) if path else EMPTY


def _of_host(process: int, host: RecordedHost) -> Iterator[Path]:
    if not host.is_recorded:
        return
    inner = f"proc/{process}/root/tmp/perf-{_number_inside(process, host.files)}.map"
    yield from filter(None, map(host.files.regular, (f"tmp/perf-{process}.map", inner)))


def _number_inside(process: int, host: HostFiles) -> str:
    """What the process is called in its container: the last number of NSpid."""
    try:
        status = host.path(f"proc/{process}/status").read_text()
    except OSError:
        return str(process)
    match = re.search(r"^NSpid:.*\s(\d+)$", status, re.MULTILINE)
    return match[1] if match else str(process)


def _map_table(path: Path) -> SymbolTable[FileOffsets]:
    """Lines of start, size (hexadecimal) and name."""
    try:
        lines = unpacked(
            UserFile(path, limits.most_map_bytes), "a map", limits.most_map_bytes
        ).split(b"\n")
    except SymbolError:
        return EMPTY
    rows = sorted(filter(None, map(_map_entry, lines)), key=lambda row: row[0])
    names = [name for _, _, name in rows]
    return SymbolTable(
        # Memory without a file: perf takes its addresses for offsets.
        FileOffsets(np.array([start for start, _, _ in rows], np.uint64)),
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
