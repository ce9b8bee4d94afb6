"""What a file is that is no recording, and what to do: said when it is refused.

    maps.txt: expected a recording, got /proc/PID/maps: it goes beside `perf script` text ...
    out.folded: expected a recording, got folded stacks: ingest perf.data or `perf script` text ...

To name another format, add a row to BINARY (what the file begins with), TEXT (its lines), LOOSE
(texts that are recognised with less certainty, after every importer has declined) or DIRECTORIES.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from perfduck_ingest.runtime.subprocess_iter import PERF_DATA
from perfduck_ingest.source import Source

_FIRST_LINES = 300  # a header of `perf report` has a line for each of many CPUs
_SOME_LINES = 50
_MOST = 0.9  # of the first lines; the others may be prompts, headings, or cut

# What to do instead.
_RECORD = "record with `perf record -g` and ingest perf.data"
_INGEST_PERF_DATA = "ingest perf.data itself, or the output of `perf script`"
_NO_SAMPLES = f"it has no samples; {_RECORD}"


class Head:
    """The beginning of a file as bytes and as lines."""

    def __init__(self, content: bytes, name: str = "") -> None:
        """`content` is decompressed; `name` that of the file."""
        self.content = content
        self.name = name

    @cached_property
    def lines(self) -> list[str]:
        """The first lines that are not blank; without a last one that is cut off."""
        lines = self.content[:100_000].decode("utf-8", "replace").splitlines()
        whole = lines[:-1] if len(self.content) > 100_000 else lines
        return [line for line in whole if line.strip()][:_FIRST_LINES]


Test = Callable[[Head], bool]


def _begins(*magics: bytes, at: int = 0) -> Test:
    return lambda head: any(head.content[at:].startswith(magic) for magic in magics)


def _holds(*marks: bytes) -> Test:
    return lambda head: all(mark in head.content for mark in marks)


def _finds(pattern: bytes) -> Test:
    """The content has such a place."""
    return lambda head: re.search(pattern, head.content, re.DOTALL | re.IGNORECASE) is not None


def _line(pattern: str) -> Test:
    """One of the first lines is so."""
    return lambda head: any(map(re.compile(pattern).fullmatch, head.lines))


def _most(pattern: str, *, one: str = "") -> Test:
    """Most of the first lines are so, and one of them has `one` in it."""

    def test(head: Head) -> bool:
        lines = head.lines[:_SOME_LINES]
        matches = map(re.compile(pattern).fullmatch, lines)
        others = (1 for match in matches if match is None)
        allowed = int((1 - _MOST) * len(lines))
        is_most = sum(islice(others, allowed + 1)) <= allowed < len(lines)
        return is_most and any(re.search(one, line) for line in lines)

    return test


def _named(*suffixes: str) -> Test:
    return lambda head: head.name.lower().endswith(suffixes)


def _both(*tests: Test) -> Test:
    return lambda head: all(test(head) for test in tests)


def _either(*tests: Test) -> Test:
    return lambda head: any(test(head) for test in tests)


@dataclass(frozen=True, slots=True)
class Foreign:
    """A format: what it is, what to do instead, and how to know it."""

    what: str
    do: str
    test: Test

    def __str__(self) -> str:
        return f"{self.what}: {self.do}"


def _is_binary(head: Head) -> bool:
    return b"\0" in head.content


_UNPACK = "unpack it and ingest the perf.data or `perf script` text in it"
BINARY = [
    Foreign("an empty file", "did the recording fail? Look at what `perf` said on stderr",
            lambda head: not head.content.strip()),
    Foreign("UTF-16 text, as PowerShell's > writes it",
            "convert it with `iconv -f UTF-16 -t UTF-8 FILE | perfduck ingest -`",
            _begins(b"\xff\xfe", b"\xfe\xff")),
    Foreign("trace.dat of trace-cmd", f"it has trace events; {_RECORD}",
            _begins(b"\x17\x08\x44tracing")),
    Foreign("a profile of pprof (protobuf)", _RECORD,
            _finds(rb"\A.{0,40}\x0a[\x02-\x08]\x08[\x01-\x20]\x10[\x01-\x20]")),
    Foreign("gmon.out of gprof", _RECORD, _begins(b"gmon")),
    Foreign("an ELF file (program, library, module or core)",
            "give it with --symbols DIR or --vmlinux beside a recording", _begins(b"\x7fELF")),
    Foreign("a program of macOS or Windows", "ingest a recording of Linux perf",
            _begins(b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"MZ\x90")),
    Foreign("a DuckDB database", "if it is a store of perfduck, open it with --store FILE",
            _begins(b"DUCK", at=8)),
    Foreign("an SQLite database", _RECORD, _begins(b"SQLite format 3\0")),
    Foreign("a Parquet file", _RECORD, _begins(b"PAR1")),
    Foreign("an Arrow file", _RECORD, _begins(b"ARROW1")),
    Foreign("a zip archive", "read a file of it with `unzip -p FILE NAME | perfduck ingest -`",
            _begins(b"PK\3\4", b"PK\5\6")),
    Foreign("a 7z archive", "read a file of it with `7z e -so FILE NAME | perfduck ingest -`",
            _begins(b"7z\xbc\xaf\x27\x1c")),
    Foreign("a RAR archive", _UNPACK, _begins(b"Rar!\x1a\7")),
    Foreign("a file compressed with lz4", "read it with `lz4 -dc FILE | perfduck ingest -`",
            _begins(b"\x04\x22\x4d\x18")),
    Foreign("a file compressed with lzop", "read it with `lzop -dc FILE | perfduck ingest -`",
            _begins(b"\x89LZO\0")),
    Foreign("a file compressed with compress", "read it with `zcat FILE | perfduck ingest -`",
            _begins(b"\x1f\x9d")),
    Foreign("an rpm or deb package", _UNPACK, _begins(b"\xed\xab\xee\xdb", b"!<arch>\ndebian")),
    Foreign("a static library", "give its program with --symbols DIR", _begins(b"!<arch>\n")),
    Foreign("a Java Flight Recorder file", _RECORD, _begins(b"FLR\0")),
    Foreign("a heap dump of Java (hprof)", _NO_SAMPLES, _begins(b"JAVA PROFILE 1.0")),
    Foreign("an execution trace of Go", f"it has no samples of the kernel; {_RECORD}",
            _finds(rb"\Ago 1\.\d+ trace\0")),
    Foreign("a report of simpleperf (protobuf)",
            "ingest the perf.data that `simpleperf record` wrote", _begins(b"SIMPLEPERF")),
    Foreign("a trace of LTTng or babeltrace (CTF)", f"it has trace events; {_RECORD}",
            _begins(b"\xc1\x1f\xfc\xc1", b"\xc1\xfc\x1f\xc1", b"/* CTF ")),
    Foreign("a Fuchsia trace", _RECORD, _begins(b"\x10\0\x04FxT\x16\0")),
    Foreign("a Perfetto trace", _RECORD, _named(".perfetto-trace", ".pftrace", ".perfetto")),
    Foreign("a packet capture (pcap)", f"it has packets and no samples; {_RECORD}",
            _begins(b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1",
                    b"\xa1\xb2\x3c\x4d", b"\x0a\x0d\x0d\x0a")),
    Foreign("an event trace of Windows (ETW)", f"ingest a recording of Linux perf; {_RECORD}",
            _both(_is_binary, _named(".etl"))),
    Foreign("a memray file", _RECORD, _begins(b"memray\0")),
    Foreign("a PDF or an image", _RECORD, _begins(b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8")),
]  # fmt: skip

_TIME_OF_DAY = r"(?:\d\d:\d\d:\d\d(?:\.\d+)?|\d+\.\d+)"
_JSON = rb"\A\s*(?:\{\s*[\"}]|\[\s*[\[{\"\]])"  # `[000] 12.5: cycles:` is a sample without comm
TEXT = [
    Foreign("/proc/PID/maps", f"it names memory and has no samples; {_RECORD}",
            _most(r"[0-9a-f]{8,16}-[0-9a-f]{8,16} [rwxsp-]{4} [0-9a-f]{8,} [0-9a-f]+:[0-9a-f]+ .*"
                  r"|[A-Z]\w+: +.*")),
    Foreign("/proc/kallsyms or a System.map", "give it with --kallsyms FILE beside a recording",
            _most(r"[0-9a-f]{8,16} [A-Za-z?] \S+(?:\t\[\S+\])?")),
    Foreign("a map of a just-in-time compiler (perf-PID.map)",
            "leave it in /tmp of --symbols DIR and ingest perf.data",
            _most(r"(?:0x)?[0-9a-f]{6,16} [0-9a-f]{1,6} \S.*")),
    Foreign("text of ftrace", f"it has trace events and no samples; {_RECORD}",
            _either(
                _line(r"# tracer: \w+"),
                _most(r"#.*| *\S.*-\d+ +(?:\( *[-\d]+\) +)?\[\d{3}\] +[.\w#]{4,6} +\d+\.\d+: \S.*"
                      r"| *\d+\) .*\|.*", one=r"^[^#]"))),
    Foreign("text of `trace-cmd report`", f"it has trace events and no samples; {_RECORD}",
            _both(_line(r"cpus=\d+|version = \d+"), _line(r" *\S.*-\d+ +\[\d+\] .*: .*"))),
    Foreign("folded stacks (collapsed by stackcollapse, async-profiler, py-spy or bcc)",
            "ingest the perf.data or `perf script` text that they were made of",
            _most(r"\S[^\t]* \d+(?:\.\d+)?", one=";")),
    Foreign("text of `perf report -D` or `perf script -D`", _INGEST_PERF_DATA,
            _line(r"(?:\d+ )*0x?[0-9a-f]+ \[(?:0x)?[0-9a-f]+\]: (?:event: \d+|PERF_RECORD_.*)")),
    Foreign("text of `perf diff`", f"{_INGEST_PERF_DATA} of both, and use `perfduck diff`",
            _line(r"# Baseline +Delta.*")),
    Foreign("text of `perf report`", _INGEST_PERF_DATA,
            _either(
                _line(r"# (?:Overhead|Children) .*|# Samples: .* of event.*"),
                _most(r" +\d+\.\d\d%.*\[[.kguH]\] .*| +[|-].*", one="%"))),
    Foreign("text of `perf annotate`", _INGEST_PERF_DATA,
            _line(r" *Percent(?:.*\|)?.*(?:Source code & Disassembly|Disassembly of) .*")),
    Foreign("text of `perf c2c`", _INGEST_PERF_DATA,
            _line(r"(?: *Trace Event Information|.*Shared Data Cache Line Table.*)")),
    Foreign("text of `perf sched`", f"it has no stacks of samples; {_RECORD}",
            _line(r" *Task +\| +Runtime ms +\|.*| +time +cpu +task name +wait time.*|"
                  r"run measurement overhead: .*")),
    Foreign("text of `perf sched map`", f"it has no stacks of samples; {_RECORD}",
            _most(r" +(?:\*?(?:[A-Z0-9.]\w?|\.|-) +)+\d+\.\d{6} secs.*")),
    Foreign("text of `perf bench`", _NO_SAMPLES, _line(r"# Running '?\S+'? benchmark:")),
    Foreign("text of `perf evlist`", _INGEST_PERF_DATA,
            _most(r".*: (?:type: \d+, )?.*\{ sample_period, sample_freq \}: .*|# Tip: .*")),
    Foreign("text of `perf lock`", _INGEST_PERF_DATA,
            _line(r" *Name +acquired +contended .*| *contended +total wait +max wait .*")),
    Foreign("text of `perf trace`", _NO_SAMPLES,
            _most(r" *(?:\d+\.\d+|\?) \( *(?:\d+\.\d+ ms *)?\): \S.*")),
    Foreign("text of `perf stat`", f"it has counts and no samples; {_RECORD}",
            _either(
                _line(r" *Performance counter stats for .*|# +time +counts +unit events"),
                _line(r'\{(?:"interval" : [\d.]+, )?(?:"\w+" : "[^"]*", )?"counter-value" : .*'),
                _most(r"#.*|(?:\s*[\d.]+,)?(?:[\w-]+,\d*,)?(?:[\d.]+|<not \w+>),[^,]*,"
                      r"[\w.:/=,-]+,\d+,[\d.]+,.*", one=r"^[^#]"))),
    Foreign("a list of build ids", _INGEST_PERF_DATA, _most(r"[0-9a-f]{40} (?:/|\[).*")),
    Foreign("the kernel's log (dmesg)", _NO_SAMPLES,
            _most(r"(?:<\d+>)?\[ *\d+\.\d{6}\](?:\[ *\w+\])? .*")),
    Foreign("text of ltrace", _NO_SAMPLES,
            _both(_most(rf"(?:\d+ |\[pid \d+\] )?(?:{_TIME_OF_DAY} )?"
                        r"(?:[\w.@:>-]+\(.*|<\.\.\. .*|---.*|\+\+\+.*|\S+ = .*)"),
                  _line(r".*\+\+\+ exited \(status \d+\) \+\+\+|[\w.]+->\w+\(.*"))),
    Foreign("text of strace", _NO_SAMPLES,
            _most(rf"(?:\d+ +|\[pid +\d+\] )?(?:{_TIME_OF_DAY} )?"
                  r"(?:\w+\(.*|\+\+\+ .* \+\+\+|--- SIG.*|<\.\.\. .*|strace: .*)",
                  one=r"\) += |\+\+\+ exited with ")),
    Foreign("a summary of strace -c", _NO_SAMPLES, _line(r"% time +seconds +usecs/call .*")),
    Foreign("text of gprof", _RECORD, _line(r"Flat profile:|\t*Call graph \(explanation .*\)")),
    Foreign("a profile of callgrind or cachegrind",
            _RECORD, _line(r"# callgrind format|creator: callgrind.*|desc: I1 cache:.*")),
    Foreign("a profile of massif", f"it has memory and no samples; {_RECORD}",
            _line(r"desc: .*massif.*|snapshot=\d+")),
    Foreign("messages of valgrind", _RECORD, _most(r"==\d+== ?.*")),
    Foreign("output of bpftrace", _RECORD,
            _line(r"Attach(?:ing|ed) \d+ probes?\b.*|@\w*\[$|@\w*\[.*\]: \d+")),
    Foreign("output of a tool of bcc", _RECORD,
            _line(r"(?:Sampling at \d+ Hertz of|Tracing (?:off-CPU time|\d+ functions)) .*")),
    Foreign("output of dtrace", _RECORD, _line(r"CPU +ID +FUNCTION:NAME|dtrace: description .*")),
    Foreign("text of tcpdump", f"it has packets and no samples; {_RECORD}",
            _most(rf"(?:\d{{4}}-\d\d-\d\d )?{_TIME_OF_DAY} (?:\S+ +(?:In|Out) +)?"
                  r"(?:IP6?|ARP|STP|LLDP|MPLS|[0-9a-f:]{17} >) .*|\t0x[0-9a-f]{4}: .*")),
    Foreign("a report of iperf3", "give it with --work-from FILE beside a recording",
            _line(r"Connecting to host .*, port \d+|\[ *ID\] +Interval +Transfer.*")),
    Foreign("a report of wrk", "give it with --work-from FILE beside a recording",
            _line(r"Running \d\S* test @ .*")),
    Foreign("a report of sockperf", "give it with --work-from FILE beside a recording",
            _line(r"sockperf: .*")),
    Foreign("a thread dump of Java", _RECORD, _line(r"Full thread dump .*")),
    Foreign("backtraces of gdb", _RECORD, _most(r"#\d+ +.*|Thread \d+ .*| +\S.*", one=r"^#0 +")),
    Foreign("a profile of the Firefox Profiler or samply", _RECORD,
            _both(_holds(b'"meta"'), _finds(rb'"(?:preprocessedProfileVersion|frameTable)"'))),
    Foreign("a profile of speedscope", _RECORD, _holds(b"speedscope.app/file-format-schema")),
    Foreign("a trace of Chrome", _RECORD, _finds(rb'"traceEvents"|"ph" *: *"\w"')),
    Foreign("JSON of `perf data convert`", _INGEST_PERF_DATA, _holds(b'"linux-perf-json-version"')),
    Foreign("a report of iperf3", "give it with --work-from FILE beside a recording",
            _holds(b'"start"', b'"iperf')),
    Foreign("JSON", f"perfduck reads none; {_RECORD}", _finds(_JSON)),
    Foreign("a dump of xperf", f"ingest a recording of Linux perf; {_RECORD}",
            lambda head: head.content.startswith(b"BeginHeader")),
]  # fmt: skip
LOOSE = [
    Foreign("a flame graph (SVG)", "ingest the perf.data or `perf script` text that it was made of",
            _holds(b"<svg")),
    Foreign("an HTML page", _RECORD,
            _finds(rb"\A.{0,4096}<(?:!doctype )?html")),
    Foreign("XML that is no report of `opreport -X`", _RECORD,
            _finds(rb"\A(?:\xef\xbb\xbf)?<\?xml")),
    Foreign("a table of values separated by commas (CSV)", _RECORD,
            lambda head: len(head.lines) > 1 and head.lines[0].count(",") > 0
            and len({line.count(",") for line in head.lines}) == 1),
]  # fmt: skip


def binary(source: Source) -> Foreign | None:
    """What a file is by what it begins with, or by the files beside it."""
    path = source.path
    if re.fullmatch(r"data(?:\.\d+)?", path.name) and _is_of_threads(path.parent):
        what = "a part of a directory of `perf record --threads`"
        return Foreign(what, f"ingest {path.parent}", _begins())
    return _first(BINARY, Head(source.head, source.name))


def text(source: Source) -> Foreign | None:
    """What a text is by its first lines."""
    return None if b"\0" in source.head else _first(TEXT, Head(source.head, source.name))


def loose(source: Source) -> Foreign | None:
    """What a text that no importer knows seems to be."""
    return _first(LOOSE, Head(source.head, source.name))


def _first(table: list[Foreign], head: Head) -> Foreign | None:
    return next((row for row in table if row.test(head)), None)


def _is_of_threads(folder: Path) -> bool:
    return (folder / "data.0").is_file() and _begins_as_perf_data(folder / "data")


def _begins_as_perf_data(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(8) in PERF_DATA
    except OSError:
        return False


# Files of a directory (globs, all of them) -> what it is, and what to do with DIR.
DIRECTORIES = [
    (("data", "kcore_dir*"), "a directory of `perf record --kcore`", "ingest DIR/data"),
    (("*.vtune",), "a result of VTune", _RECORD),
    (("metadata", "*_0"), "a trace of LTTng (CTF)", f"it has trace events; {_RECORD}"),
    (("form.template",), "a trace of Instruments", "ingest a recording of Linux perf"),
    (("Trace*.run",), "a trace of Instruments", "ingest a recording of Linux perf"),
    ((".build-id",), "a directory of symbols by build id", "give it with --symbols DIR"),
    (("*perf.data*",), "a directory with recordings", "ingest the files in it: DIR/*perf.data*"),
]


def manifest(path: Path) -> Path | None:
    """The manifest of a directory: its first CSV with a column `file`."""
    return next((each for each in sorted(path.glob("*.csv")) if _names_files(each)), None)


def _names_files(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return "file" in [name.strip(' "') for name in file.readline(10_000).strip().split(",")]
    except OSError:
        return False


def directory(path: Path) -> str | None:
    """What a directory is, by the files in it."""
    for globs, what, do in DIRECTORIES:
        if all(next(path.glob(glob), None) is not None for glob in globs):
            return f"{what}: {do.replace('DIR', str(path))}"
    return None


def archive(paths: list[str], recordings: list[str]) -> str | None:
    """What a tar archive is, by the paths in it and those of them that begin as perf.data."""
    if any(".build-id/" in path for path in paths):
        do = "unpack it into DIR and give --symbols DIR beside the recording"
        return f"symbols that `perf archive` packed: {do}"
    if recordings:
        do = f"read it with `tar -xOf FILE {recordings[0]} | perfduck ingest -`"
        return f"an archive with perf.data: {do}"
    return None
