"""Functions that a just-in-time compiler made, as the map file it writes tells.

7f0000000000 40 LBusy;::main       /tmp/perf-4711.map: start, size, name

DIR/tmp/perf-4711.map, DIR/perf-4711.map     below --symbols
DIR/4711/perf-1.map, DIR/4711/tmp/...        of a process that had another number in its
                                             container: the map of process 4711
/tmp/perf-4711.map                           on the recorded machine, or in the container that
                                             still runs there
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from perfduck_ingest.perf_data.recorded_host import RecordedHost
from perfduck_model import limits
from perfduck_model.errors import SymbolError
from perfduck_model.small_file import UserFile
from perfduck_symbols.addresses import EMPTY, FileOffsets, SymbolTable
from perfduck_symbols.compression import unpacked
from perfduck_symbols.file_finder import FileFinder
from perfduck_symbols.host_files import HostFiles

_NAME = re.compile(r"/tmp/perf-(\d+)\.map")


def process_of(dso: str) -> int | None:
    """The process whose map this is; None for another dso."""
    found = _NAME.fullmatch(dso)
    return int(found[1]) if found else None


def table(process: int, finder: FileFinder, host: RecordedHost | None) -> SymbolTable[FileOffsets]:
    """The functions of a process; none where there is no map of it."""
    path = next(finder.jit_maps(process), None) or (host and next(_of_host(process, host), None))
    return _read(path) if path else EMPTY


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
    found = re.search(r"^NSpid:.*\s(\d+)$", status, re.MULTILINE)
    return found[1] if found else str(process)


def _read(path: Path) -> SymbolTable[FileOffsets]:
    """Lines of start, size (hexadecimal) and name."""
    try:
        file = UserFile(path, limits.MOST_MAP_BYTES)
        lines = unpacked(file, "a map", limits.MOST_MAP_BYTES).split(b"\n")
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
