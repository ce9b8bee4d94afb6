"""What files do that were made to eat memory or time: each is ingested by a process of its own.

    python bench/bombs.py [NAME...]      a row for each bomb, or for these

Prints packed and unpacked size, the most memory that its processes had, seconds of CPU time and on
the clock, exit code and the last line of its messages. Bombs are streamed into their compressor:
none takes more disk than its packed size.
"""

import gzip
import os
import resource
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bomb import GB, HEAD, MB, SAMPLE, Bomb, Chunks, given, within
from message_bombs import MESSAGE_BOMBS
from packed_bombs import PACKED_BOMBS
from perf_data_bombs import PERF_DATA_BOMBS

from perfduck_model.zstandard import zstd

FIXTURES = Path(__file__).parents[1] / "fixtures"
_MOST_MEMORY = 10 * GB  # of address space, so that the machine lives on
_MOST_SECONDS = 1200  # on a machine that has other work
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


def _line(name: str, before: bytes, piece: bytes, size: int, behind: bytes = b"\n" + HEAD) -> Bomb:
    return Bomb(name, within(HEAD + before, piece, size, behind))


def _tar_header(name: bytes, kind: bytes, size: int) -> bytes:
    header = tarfile.TarInfo(name.decode())
    header.type, header.size = kind, size
    return header.tobuf(tarfile.GNU_FORMAT)[:512]


def _tar(kind: bytes, piece: bytes, size: int) -> Callable[[], Chunks]:
    """An archive whose first member, of this kind, has so many bytes."""
    blocks = size // MB * MB
    header = _tar_header(b"oprofile_data/samples/x", kind, blocks)
    return within(header, piece, blocks, b"\0" * 1024)


BOMBS = [
    Bomb("4 GB of newlines (zst)", within(HEAD, b"\n", 4 * GB, HEAD)),
    Bomb("1 GB of newlines (gz)", within(HEAD, b"\n", GB, HEAD), ".gz"),
    Bomb("4 GB of newlines, nothing else", within(b"\n", b"\n", 4 * GB, b"")),
    Bomb("1 GB of blank lines", within(HEAD, b" \n", GB, HEAD)),
    _line("line of 100 MB", b"", b"a", 100 * MB),
    _line("line of 1 GB", b"", b"a", GB),
    Bomb("line of 1 GB, first", within(b"", b"a", GB, b"\n" + HEAD)),
    _line("comm of 100 MB", b"", b"c", 100 * MB, b" 1 [000] 1.500000: 1 cpu-clock: \n" + HEAD),
    _line("comm of 1 GB", b"", b"c", GB, b" 1 [000] 1.500000: 1 cpu-clock: \n" + HEAD),
    _line(
        "symbol of 100 MB",
        SAMPLE[:-1] + b"\tffffffff821f2fa7 ",
        b"f",
        100 * MB,
        b"+0x1 (/x)\n\n" + HEAD,
    ),
    _line(
        "symbol of 1 GB", SAMPLE[:-1] + b"\tffffffff821f2fa7 ", b"f", GB, b"+0x1 (/x)\n\n" + HEAD
    ),
    _line("blanks of 1 GB in a line", b"x", b" ", GB),
    _line("tabs of 1 GB in a line", b"\t", b"\t", GB),
    _line("lines of 1 MB, 1 GB", b"", b"a" * (MB - 1) + b"\n", GB, HEAD),
    _line(
        "stack of 40 M frames",
        SAMPLE[:-1],
        SAMPLE.split(b"\n")[1] + b"\n",
        2 * GB,
        b"\n" + HEAD,
    ),
    _line(
        "1 GB of PERF_RECORD lines", b"", b"x 1 [000] 1.500000: PERF_RECORD_MMAP2 1/1\n", GB, HEAD
    ),
    _line("# lines, 1 GB", b"", b"# x\n", GB, HEAD),
    Bomb(
        "UTF-16 line of 1 GB",
        within(b"\xff\xfe" + HEAD.decode().encode("utf-16-le"), b"a\0", GB, b""),
    ),
    Bomb("opreport text, line of 1 GB", within(_OPREPORT, b"a", GB, b"\n")),
    Bomb("opreport text, 4 GB of newlines", within(_OPREPORT, b"\n", 4 * GB, b"\n")),
    Bomb("opreport text, 1 GB of odd lines", within(_OPREPORT, b"abc\n", GB, b"\n")),
    Bomb("opreport text, lines of 900 kB", within(_OPREPORT, b"a" * 900_000 + b"\n", GB, b"\n")),
    Bomb(
        "opreport text, 1 GB of one row",
        within(_OPREPORT, _OPREPORT.split(b"\n")[3] + b"\n", GB, b"\n"),
    ),
    Bomb("XML 5 M deep", within(_XML, b"<a>", 15 * MB, b"")),
    Bomb("XML attribute of 1 GB", within(_XML + b'<a x="', b"x", GB, b'"/></profile>')),
    Bomb("XML text of 1 GB", within(_XML + b"<count>", b"1", GB, b"</count></profile>")),
    Bomb("XML comment of 1 GB", within(_XML + b"<!--", b"x", GB, b"--></profile>")),
    Bomb("XML tag of 1 GB", within(_XML + b"<", b"x", GB, b"/></profile>")),
    Bomb("XML, 1 GB of elements", within(_XML, b"<a/>", GB, b"</profile>")),
    Bomb("XML, 1 GB of newlines", within(_XML, b"\n", GB, b"</profile>")),
    Bomb("tar, long name of 1 GB", _tar(b"L", b"a", GB - 4 * MB)),
    Bomb("tar, pax header of 1 GB", _tar(b"x", b"30 path=aaaaaaaaaaaaaaaaaaaaa\n", GB - 4 * MB)),
    Bomb("tar, pax header of newlines", _tar(b"x", b"\n", GB - 4 * MB)),
    Bomb("tar, file of 1 GB", _tar(b"0", b"a", GB - 4 * MB)),
    Bomb(
        "tar, 1 GB of headers",
        within(b"", _tar_header(b"oprofile_data/x", b"0", 0), GB, b"\0" * 1024),
    ),
    Bomb(
        "kallsyms, 4 GB of newlines",
        within(_KALLSYMS, b"\n", 4 * GB, b""),
        command=given("--kallsyms"),
    ),
    Bomb(
        "kallsyms, 4 GB of a line",
        within(_KALLSYMS, b"a", 4 * GB, b""),
        command=given("--kallsyms"),
    ),
    Bomb(
        "kallsyms, 4 GB of symbols",
        within(b"", _KALLSYMS, 4 * GB, b""),
        command=given("--kallsyms"),
    ),
    Bomb(
        "kallsyms of perf.data, 4 GB",
        within(b"", _KALLSYMS, 4 * GB, b""),
        command=given("--kallsyms", recording="DATA"),
    ),
    Bomb(
        "vmlinux, 4 GB of zeros",
        within(b"\x7fELF", b"\0", 4 * GB, b""),
        command=given("--vmlinux", recording="DATA"),
    ),
    Bomb("work, 60 MB of newlines", within(b"", b"\n", 60 * MB, b""), "", given("--work-from")),
    Bomb(
        "work, 60 MB of [Total Run]",
        within(b"", b"sockperf: [Total Run] ", 60 * MB, b""),
        "",
        given("--work-from"),
    ),
    Bomb("work, 60 MB of [", within(b"", b"[", 60 * MB, b""), "", given("--work-from")),
    Bomb(
        "work, 60 MB of digits",
        within(b" ", b"9", 60 * MB, b" requests in 4s"),
        "",
        given("--work-from"),
    ),
    Bomb(
        "work, JSON of 60 MB",
        within(b'{"end":[', b"{},", 60 * MB, b"{}]}"),
        "",
        given("--work-from"),
    ),
    Bomb(
        "manifest, 60 MB of newlines",
        within(b"file,name\n", b"\n", 60 * MB, b""),
        "",
        ("ingest", "--manifest", "BOMB"),
    ),
    Bomb(
        "manifest, 60 MB of rows",
        within(b"file,name\n", b"a,b\n", 60 * MB, b""),
        "",
        ("ingest", "--manifest", "BOMB"),
    ),
    Bomb(
        "rules, 60 MB of newlines",
        within(b"symbol,area,subsystem\n", b"\n", 60 * MB, b""),
        "",
        given("--rules"),
    ),
    Bomb(
        "rules, 60 MB of rows",
        within(b"symbol,area,subsystem\n", b"a,b,c\n", 60 * MB, b""),
        "",
        given("--rules"),
    ),
    Bomb("rules, /dev/zero", lambda: iter(()), "", given("--rules", "/dev/zero")),
    Bomb(
        "iptables, 60 MB of newlines",
        within(b"*nat\n", b"\n", 60 * MB, b""),
        "",
        given("--attach", "iptables=BOMB"),
    ),
    Bomb(
        "iptables, 60 MB of rules",
        within(b"*nat\n", b"-A x -j y\n", 60 * MB, b""),
        "",
        given("--attach", "iptables=BOMB"),
    ),
    Bomb(
        "conntrack, 60 MB of columns",
        within(b"entries ", b"a ", 30 * MB, b"\n"),
        "",
        given("--attach", "conntrack=BOMB"),
    ),
    *PERF_DATA_BOMBS,
    *PACKED_BOMBS,
    *MESSAGE_BOMBS,
]


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


def _run(command: list[str], messages: Path) -> tuple[float, float, float, str]:
    """Most memory in MB, seconds of CPU time and on the clock, and the exit code."""
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
    cpu, took = usage.ru_utime + usage.ru_stime, time.monotonic() - began
    return max(most, usage.ru_maxrss / 1024), cpu, took, str(process.returncode)


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
    memory, cpu, seconds, code = _run(command, folder / "messages")
    text = (folder / "messages").read_text(errors="replace").replace(str(folder), "").strip()
    last = (text.splitlines() or [""])[-1][:110].replace("|", "/")
    packed = path.stat().st_size
    for one in folder.iterdir():
        one.unlink()
    return (
        f"| {bomb.name} | {packed / 1e6:,.2f} | {unpacked / 1e6:,.0f} | {memory:,.0f} |"
        f" {cpu:.1f} | {seconds:.1f} | {code} | {last} |"
    )


def main() -> None:
    wanted = sys.argv[1:]
    print("| bomb | packed MB | unpacked MB | peak MB | CPU s | seconds | exit | last line |")
    print("|---|---:|---:|---:|---:|---:|---:|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for bomb in BOMBS:
            if not wanted or any(word in bomb.name for word in wanted):
                print(_row(bomb, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
