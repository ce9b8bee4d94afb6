"""What files do that were made to eat memory or time: each is ingested by a process of its own.

    python bench/bombs.py [NAME...]      a row for each bomb, or for these

Prints packed and unpacked size, the most memory that its processes had, seconds, exit code and the
last line of its messages. Bombs are streamed into their compressor: none takes more disk than its
packed size.
"""

import gzip
import os
import resource
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from perfduck_model.zstandard import zstd

FIXTURES = Path(__file__).parents[1] / "fixtures"
_MB, _GB = 1 << 20, 1 << 30
_MOST_MEMORY = 10 * _GB  # of address space, so that the machine lives on
_MOST_SECONDS = 400
_SAMPLE = (
    b"x 1 [000] 1.500000: 1001001 cpu-clock: \n\tffffffff821f2fa7 f+0xd7 ([kernel.kallsyms])\n\n"
)
_HEAD = _SAMPLE * 100
_OPREPORT = (
    b"CPU: Intel Architectural Perfmon, speed 2300 MHz (estimated)\n"
    b"Counted CPU_CLK_UNHALTED events (Clock cycles when not halted) with a unit mask of 0x00"
    b" (No unit mask) count 1000000\n"
    b"samples  %        image name               app name                 symbol name\n"
    b"896       3.9221  kallsyms                 iperf3                   _raw_spin_unlock\n"
)
_XML = (
    b'<profile schemaversion="3.1" cputype="i386" processor="arch_perfmon" mhz="2300.00">'
    b'<setup><eventsetup id="0" eventname="LLC_REFS" unitmask="79" setupcount="1500000"/></setup>'
)
_KALLSYMS = b"ffffffff81f28dd0 T nf_hook_slow\n"
Chunks = Iterator[bytes]


def _many(piece: bytes, size: int) -> Chunks:
    """The piece again and again, about so many bytes."""
    block = piece * max(_MB // len(piece), 1)
    for _ in range(max(size // len(block), 1)):
        yield block


def _within(before: bytes, piece: bytes, size: int, behind: bytes) -> Callable[[], Chunks]:
    def chunks() -> Chunks:
        yield before
        yield from _many(piece, size)
        yield behind

    return chunks


@dataclass(frozen=True)
class Bomb:
    """A file, how it is packed, and the command that reads it: BOMB represents its path, GOOD for
    a small recording and DATA for one of perf record."""

    name: str
    chunks: Callable[[], Chunks]
    ending: str = ".zst"
    command: tuple[str, ...] = ("ingest", "BOMB")


def _line(name: str, before: bytes, piece: bytes, size: int, behind: bytes = b"\n" + _HEAD) -> Bomb:
    return Bomb(name, _within(_HEAD + before, piece, size, behind))


def _given(option: str, value: str = "BOMB", recording: str = "GOOD") -> tuple[str, ...]:
    return ("ingest", recording, option, value)


def _tar_header(name: bytes, kind: bytes, size: int) -> bytes:
    header = tarfile.TarInfo(name.decode())
    header.type, header.size = kind, size
    return header.tobuf(tarfile.GNU_FORMAT)[:512]


def _tar(kind: bytes, piece: bytes, size: int) -> Callable[[], Chunks]:
    """An archive whose first member, of this kind, has so many bytes."""
    blocks = size // _MB * _MB
    header = _tar_header(b"oprofile_data/samples/x", kind, blocks)
    return _within(header, piece, blocks, b"\0" * 1024)


def _perf_data(
    attributes: Chunks | None = None,
    data: Chunks | None = None,
    *,
    attr_bytes: int = 144,
    attrs_bytes: int = 0,
    data_bytes: int = 0,
) -> Chunks:
    """A file of perf record: header, attributes, records."""
    yield b"PERFILE2" + struct.pack(
        "<12Q", 104, attr_bytes, 104, attrs_bytes, 104 + attrs_bytes, data_bytes, 0, 0, 0, 0, 0, 0
    )
    yield from attributes or ()
    yield from data or ()


_ATTRIBUTE = struct.pack("<IIQQQQQ", 1, 136, 0, 1000000, 0x1 | 0x2 | 0x4, 0, 0).ljust(136, b"\0")
_ENTRY = (_ATTRIBUTE[:128] + struct.pack("<QQ", 0, 0)).ljust(144, b"\0")[:144]


def _pipe(*records: bytes, fields: int = 7) -> Chunks:
    """What `perf record -o -` writes, with these fields of samples."""
    yield b"PERFILE2" + struct.pack("<Q", 16)
    attr = struct.pack("<IIQQQQQ", 1, 136, 0, 1000000, fields, 0, 0).ljust(136, b"\0")
    yield struct.pack("<IHH", 64, 0, 8 + len(attr) + 8) + attr + struct.pack("<Q", 1)
    yield from records


def _compressed_record(size: int) -> bytes:
    packed = zstd.compress(struct.pack("<IHHQQ", 10, 0, 24, 0, 0) * (size // 24), 19)
    assert len(packed) < 65000, len(packed)
    return struct.pack("<IHH", 81, 0, 8 + len(packed)) + packed


def _comms(count: int) -> Chunks:
    """Records that name so many threads, each another."""
    import numpy as np

    row = np.dtype(
        [
            ("type", "<u4"),
            ("misc", "<u2"),
            ("size", "<u2"),
            ("pid", "<u4"),
            ("tid", "<u4"),
            ("comm", "S16"),
        ]
    )
    for first in range(0, count, 1 << 16):
        rows = np.zeros(1 << 16, row)
        rows["type"], rows["size"] = 3, 32
        rows["pid"] = rows["tid"] = np.arange(first, first + (1 << 16))
        rows["comm"] = [b"c%d" % n for n in range(first, first + (1 << 16))]
        yield rows.tobytes()


def _records(count: int, kind: int, *fields: str) -> Chunks:
    """So many records of a kind, whose fields (of 8 bytes) are numbered through: n, or 0."""
    import numpy as np

    size = 8 + 8 * len(fields)
    for first in range(0, count, 1 << 16):
        rows = np.zeros((1 << 16, size // 8), "<u8")
        rows[:, 0] = kind | size << 48
        for place, field in enumerate(fields, 1):
            rows[:, place] = np.arange(first, first + (1 << 16)) if field == "n" else int(field)
        yield rows.tobytes()


def _processes(count: int) -> Chunks:
    """Records of so many processes (up to 4 M), each with a mapping of its own."""
    import numpy as np

    for first in range(0, count, 1 << 16):
        rows = np.zeros((1 << 16, 6), "<u8")
        rows[:, 0] = 1 | 48 << 48
        rows[:, 1] = np.arange(first, first + (1 << 16))
        rows[:, 2], rows[:, 3], rows[:, 5] = 4096, 4096, int.from_bytes(b"/x", "little")
        yield rows.tobytes()


def _mapped_and_sampled(count: int) -> Chunks:
    """A process maps so many files, with a sample after each: each sees other maps."""
    for n in range(1, count + 1):
        yield struct.pack("<IHHIIQQQQ", 1, 2, 48, 1, 1, n << 12, 1 << 12, 0, ord("x"))
        yield struct.pack("<IHHQII", 9, 2, 24, n << 12, 1, 1)


def _maps(count: int) -> Chunks:
    """Records of so many mappings of files with long names, each another."""
    for n in range(count):
        name = (b"/%d/" % n).ljust(4000, b"a") + b"\0" * 8
        yield struct.pack("<IHHIIQQQ", 1, 2, 40 + len(name), 1, 1, n << 12, 1 << 12, 0) + name


BOMBS = [
    Bomb("4 GB of newlines (zst)", _within(_HEAD, b"\n", 4 * _GB, _HEAD)),
    Bomb("1 GB of newlines (gz)", _within(_HEAD, b"\n", _GB, _HEAD), ".gz"),
    Bomb("4 GB of newlines, nothing else", _within(b"\n", b"\n", 4 * _GB, b"")),
    Bomb("1 GB of blank lines", _within(_HEAD, b" \n", _GB, _HEAD)),
    _line("line of 100 MB", b"", b"a", 100 * _MB),
    _line("line of 1 GB", b"", b"a", _GB),
    Bomb("line of 1 GB, first", _within(b"", b"a", _GB, b"\n" + _HEAD)),
    _line("comm of 100 MB", b"", b"c", 100 * _MB, b" 1 [000] 1.500000: 1 cpu-clock: \n" + _HEAD),
    _line("comm of 1 GB", b"", b"c", _GB, b" 1 [000] 1.500000: 1 cpu-clock: \n" + _HEAD),
    _line(
        "symbol of 100 MB",
        _SAMPLE[:-1] + b"\tffffffff821f2fa7 ",
        b"f",
        100 * _MB,
        b"+0x1 (/x)\n\n" + _HEAD,
    ),
    _line(
        "symbol of 1 GB", _SAMPLE[:-1] + b"\tffffffff821f2fa7 ", b"f", _GB, b"+0x1 (/x)\n\n" + _HEAD
    ),
    _line("blanks of 1 GB in a line", b"x", b" ", _GB),
    _line("tabs of 1 GB in a line", b"\t", b"\t", _GB),
    _line("lines of 1 MB, 1 GB", b"", b"a" * (_MB - 1) + b"\n", _GB, _HEAD),
    _line(
        "stack of 40 M frames",
        _SAMPLE[:-1],
        _SAMPLE.split(b"\n")[1] + b"\n",
        2 * _GB,
        b"\n" + _HEAD,
    ),
    _line(
        "1 GB of PERF_RECORD lines", b"", b"x 1 [000] 1.500000: PERF_RECORD_MMAP2 1/1\n", _GB, _HEAD
    ),
    _line("# lines, 1 GB", b"", b"# x\n", _GB, _HEAD),
    Bomb(
        "UTF-16 line of 1 GB",
        _within(b"\xff\xfe" + _HEAD.decode().encode("utf-16-le"), b"a\0", _GB, b""),
    ),
    Bomb("opreport text, line of 1 GB", _within(_OPREPORT, b"a", _GB, b"\n")),
    Bomb("opreport text, 4 GB of newlines", _within(_OPREPORT, b"\n", 4 * _GB, b"\n")),
    Bomb("opreport text, 1 GB of odd lines", _within(_OPREPORT, b"abc\n", _GB, b"\n")),
    Bomb("opreport text, lines of 900 kB", _within(_OPREPORT, b"a" * 900_000 + b"\n", _GB, b"\n")),
    Bomb(
        "opreport text, 1 GB of one row",
        _within(_OPREPORT, _OPREPORT.split(b"\n")[3] + b"\n", _GB, b"\n"),
    ),
    Bomb("XML 5 M deep", _within(_XML, b"<a>", 15 * _MB, b"")),
    Bomb("XML attribute of 1 GB", _within(_XML + b'<a x="', b"x", _GB, b'"/></profile>')),
    Bomb("XML text of 1 GB", _within(_XML + b"<count>", b"1", _GB, b"</count></profile>")),
    Bomb("XML comment of 1 GB", _within(_XML + b"<!--", b"x", _GB, b"--></profile>")),
    Bomb("XML tag of 1 GB", _within(_XML + b"<", b"x", _GB, b"/></profile>")),
    Bomb("XML, 1 GB of elements", _within(_XML, b"<a/>", _GB, b"</profile>")),
    Bomb("XML, 1 GB of newlines", _within(_XML, b"\n", _GB, b"</profile>")),
    Bomb("tar, long name of 1 GB", _tar(b"L", b"a", _GB - 4 * _MB)),
    Bomb("tar, pax header of 1 GB", _tar(b"x", b"30 path=aaaaaaaaaaaaaaaaaaaaa\n", _GB - 4 * _MB)),
    Bomb("tar, pax header of newlines", _tar(b"x", b"\n", _GB - 4 * _MB)),
    Bomb("tar, file of 1 GB", _tar(b"0", b"a", _GB - 4 * _MB)),
    Bomb(
        "tar, 1 GB of headers",
        _within(b"", _tar_header(b"oprofile_data/x", b"0", 0), _GB, b"\0" * 1024),
    ),
    Bomb(
        "kallsyms, 4 GB of newlines",
        _within(_KALLSYMS, b"\n", 4 * _GB, b""),
        command=_given("--kallsyms"),
    ),
    Bomb(
        "kallsyms, 4 GB of a line",
        _within(_KALLSYMS, b"a", 4 * _GB, b""),
        command=_given("--kallsyms"),
    ),
    Bomb(
        "kallsyms, 4 GB of symbols",
        _within(b"", _KALLSYMS, 4 * _GB, b""),
        command=_given("--kallsyms"),
    ),
    Bomb(
        "kallsyms of perf.data, 4 GB",
        _within(b"", _KALLSYMS, 4 * _GB, b""),
        command=_given("--kallsyms", recording="DATA"),
    ),
    Bomb(
        "vmlinux, 4 GB of zeros",
        _within(b"\x7fELF", b"\0", 4 * _GB, b""),
        command=_given("--vmlinux", recording="DATA"),
    ),
    Bomb("work, 60 MB of newlines", _within(b"", b"\n", 60 * _MB, b""), "", _given("--work-from")),
    Bomb(
        "work, 60 MB of [Total Run]",
        _within(b"", b"sockperf: [Total Run] ", 60 * _MB, b""),
        "",
        _given("--work-from"),
    ),
    Bomb("work, 60 MB of [", _within(b"", b"[", 60 * _MB, b""), "", _given("--work-from")),
    Bomb(
        "work, 60 MB of digits",
        _within(b" ", b"9", 60 * _MB, b" requests in 4s"),
        "",
        _given("--work-from"),
    ),
    Bomb(
        "work, JSON of 60 MB",
        _within(b'{"end":[', b"{},", 60 * _MB, b"{}]}"),
        "",
        _given("--work-from"),
    ),
    Bomb(
        "manifest, 60 MB of newlines",
        _within(b"file,name\n", b"\n", 60 * _MB, b""),
        "",
        ("ingest", "--manifest", "BOMB"),
    ),
    Bomb(
        "manifest, 60 MB of rows",
        _within(b"file,name\n", b"a,b\n", 60 * _MB, b""),
        "",
        ("ingest", "--manifest", "BOMB"),
    ),
    Bomb(
        "rules, 60 MB of newlines",
        _within(b"symbol,area,subsystem\n", b"\n", 60 * _MB, b""),
        "",
        _given("--rules"),
    ),
    Bomb(
        "rules, 60 MB of rows",
        _within(b"symbol,area,subsystem\n", b"a,b,c\n", 60 * _MB, b""),
        "",
        _given("--rules"),
    ),
    Bomb("rules, /dev/zero", lambda: iter(()), "", _given("--rules", "/dev/zero")),
    Bomb(
        "iptables, 60 MB of newlines",
        _within(b"*nat\n", b"\n", 60 * _MB, b""),
        "",
        _given("--attach", "iptables=BOMB"),
    ),
    Bomb(
        "iptables, 60 MB of rules",
        _within(b"*nat\n", b"-A x -j y\n", 60 * _MB, b""),
        "",
        _given("--attach", "iptables=BOMB"),
    ),
    Bomb(
        "conntrack, 60 MB of columns",
        _within(b"entries ", b"a ", 30 * _MB, b"\n"),
        "",
        _given("--attach", "conntrack=BOMB"),
    ),
    Bomb(
        "perf.data, 4 GB of zeros",
        lambda: _perf_data(
            data=_many(b"\0", 4 * _GB),
            attributes=iter([_ENTRY]),
            attrs_bytes=144,
            data_bytes=4 * _GB,
        ),
    ),
    Bomb(
        "perf.data, 1 GB of attributes",
        lambda: _perf_data(
            attributes=_many(_ENTRY, _GB), attrs_bytes=_GB // _MB * (_MB // 144 * 144)
        ),
    ),
    Bomb("perf.data, pack of 700 MB", lambda: _pipe(_compressed_record(_GB * 2 // 3)), ""),
    Bomb("perf.data, 64 packs of 512 MB", lambda: _pipe(*[_compressed_record(_GB // 2)] * 64), ""),
    Bomb("perf.data, 8 M comms", lambda: _pipe(*[b""], *_comms(8 << 20))),
    Bomb("perf.data, 200,000 maps", lambda: _pipe(*_maps(200_000))),
    Bomb("perf.data, 4 M processes", lambda: _pipe(*[b""], *_processes(4 << 20))),
    Bomb("perf.data, 8 M forks", lambda: _pipe(*[b""], *_records(8 << 20, 7, "n", "0", "0"))),
    Bomb(
        "perf.data, 8 M kernel symbols",
        lambda: _pipe(*[b""], *_records(8 << 20, 17, "n", "16", "97")),
    ),
    Bomb("perf.data, 8 M control groups", lambda: _pipe(*[b""], *_records(8 << 20, 19, "n", "97"))),
    Bomb("perf.data, 20,000 maps seen", lambda: _pipe(b"", *_mapped_and_sampled(20_000), fields=3)),
    Bomb("perf.data, tracing data of 4 GB", lambda: _traced(4 * _GB)),
]


def _traced(size: int) -> Chunks:
    tail = (size - 8) & 0xFFFFFFFF
    yield from _pipe(struct.pack("<IHHI", 66, 0, 12, tail) + b"\x17\x08\x44tracing")
    yield from _many(b"\0", size)


_OPENERS = {".zst": zstd.open, ".gz": lambda path, mode: gzip.GzipFile(path, mode, 1)}


class _Counted:
    """Writes to a file, packed as its ending says, and counts."""

    def __init__(self, path: Path) -> None:
        self.size = 0
        self._file = _OPENERS.get(path.suffix, open)(path, "wb")

    def write(self, chunks: Chunks) -> int:
        with self._file as file:
            for chunk in chunks:
                self.size += len(chunk)
                file.write(chunk)
        return self.size


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    os.setsid()


def _memory_of(session: int) -> float:
    """MB of all processes of a session: pages that several share count once."""
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            if (process / "stat").read_text().rpartition(")")[2].split()[3] == str(session):
                total += int((process / "smaps_rollup").read_text().split("Pss:")[1].split()[0])
    return total / 1024


def _run(command: list[str], messages: Path) -> tuple[float, float, str]:
    """Most memory in MB, seconds, and the exit code."""
    began, most = time.monotonic(), 0.0
    with messages.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, preexec_fn=_limited)
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - began > _MOST_SECONDS:
                os.killpg(process.pid, signal.SIGKILL)
            most = max(most, _memory_of(process.pid))
            time.sleep(0.1)
    process.returncode = os.waitstatus_to_exitcode(status)
    return max(most, usage.ru_maxrss / 1024), time.monotonic() - began, str(process.returncode)


def _row(bomb: Bomb, folder: Path) -> str:
    path = folder / f"bomb{bomb.ending}"
    unpacked = _Counted(path).write(bomb.chunks())
    places = {
        "BOMB": str(path),
        "GOOD": str(FIXTURES / "perf_script/fields-pid/input.txt.xz"),
        "DATA": str(FIXTURES / "perf_data/lost/recording.data.xz"),
    }
    words = [word.replace("BOMB", places["BOMB"]) for word in bomb.command]
    words = [places.get(word, word) for word in words]
    command = [sys.executable, "-m", "perfduck", *words, "--store", str(folder / "bombs.duckdb")]
    memory, seconds, code = _run(command, folder / "messages")
    text = (folder / "messages").read_text(errors="replace").replace(str(folder), "").strip()
    last = (text.splitlines() or [""])[-1][:110].replace("|", "/")
    packed = path.stat().st_size
    for one in folder.iterdir():
        one.unlink()
    return (
        f"| {bomb.name} | {packed / 1e6:,.2f} | {unpacked / 1e6:,.0f} | {memory:,.0f} |"
        f" {seconds:.1f} | {code} | {last} |"
    )


def main() -> None:
    wanted = sys.argv[1:]
    print("| bomb | packed MB | unpacked MB | peak MB | seconds | exit | last line |")
    print("|---|---:|---:|---:|---:|---:|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for bomb in BOMBS:
            if not wanted or any(word in bomb.name for word in wanted):
                print(_row(bomb, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
