"""Files of other tools: each is refused in a line that says what it is and what to do."""

import io
import re
import struct
import tarfile
from pathlib import Path

import pytest

from perfduck_ingest import foreign
from perfduck_ingest.formats import opened
from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.oprofile import session_importer
from perfduck_ingest.source import Source
from perfduck_model.errors import PerfduckError

FIXTURES = Path(__file__).parent.parent / "fixtures"
FOREIGN = FIXTURES / "foreign"
WHAT = {
    "a.arrow": "an Arrow file",
    "a.duckdb": "a DuckDB database",
    "a.jfr": "a Java Flight Recorder file",
    "a.parquet": "a Parquet file",
    "a.sqlite": "an SQLite database",
    "a.zip": "a zip archive",
    "buildid-list.txt": "a list of build ids",
    "cachegrind.out": "a profile of callgrind or cachegrind",
    "callgrind.out": "a profile of callgrind or cachegrind",
    "cg_annotate.txt": "a profile of callgrind or cachegrind",
    "conntrack.txt": "tracked connections",
    "dmesg.txt": "the kernel's log (dmesg)",
    "elf": "an ELF file (program, library, module or core)",
    "ftrace-events-only.txt": "text of ftrace",
    "ftrace-nop.txt": "text of ftrace",
    "gcov.txt": "text of gcov",
    "gdb-bt.txt": "backtraces of gdb",
    "gmon.out": "gmon.out of gprof",
    "go-goroutines.txt": "stacks of Go's goroutines",
    "go.trace": "an execution trace of Go",
    "gprof.txt": "text of gprof",
    "iperf3.json": "a report of iperf3",
    "java-gc.txt": "a log of Java's garbage collector",
    "java-heap-histogram.txt": "a histogram of Java's heap",
    "jfr-print.txt": "text of `jfr print` or `jfr summary`",
    "jfr-summary.txt": "text of `jfr print` or `jfr summary`",
    "kallsyms.txt": "/proc/kallsyms or a System.map",
    "ltrace.txt": "text of ltrace",
    "maps.txt": "/proc/PID/maps",
    "massif.out": "a profile of massif",
    "ms_print.txt": "a profile of massif",
    "node.cpuprofile": "a CPU profile of V8 (.cpuprofile)",
    "objdump.txt": "text of objdump, nm, readelf or ldd",
    "perf-annotate.txt": "text of `perf annotate`",
    "perf-bench.txt": "text of `perf bench`",
    "perf-convert.json": "JSON of `perf data convert`",
    "perf-diff.txt": "text of `perf diff`",
    "perf-evlist.txt": "text of `perf evlist`",
    "perf-report-D.txt": "text of `perf report -D` or `perf script -D`",
    "perf-report-header.txt": "text of `perf report`",
    "perf-report-quiet.txt": "text of `perf report`",
    "perf-report-sep.txt": "text of `perf report`",
    "perf-report-stats.txt": "text of `perf report`",
    "perf-report-tasks.txt": "text of `perf report`",
    "perf-report.txt": "text of `perf report`",
    "perf-sched-latency.txt": "text of `perf sched`",
    "perf-sched-map.txt": "text of `perf sched map`",
    "perf-sched-timehist.txt": "text of `perf sched`",
    "perf-script-D.txt": "text of `perf report -D` or `perf script -D`",
    "perf-stat-I.csv": "text of `perf stat`",
    "perf-stat-I.txt": "text of `perf stat`",
    "perf-stat.csv": "text of `perf stat`",
    "perf-stat.json": "text of `perf stat`",
    "perf-stat.txt": "text of `perf stat`",
    "perf-trace-events.txt": "text of `perf trace`",
    "perf-trace-s.txt": "text of `perf trace`",
    "perf-trace-stacks.txt": "text of `perf trace`",
    "perf-trace.txt": "text of `perf trace`",
    "perf-version.txt": "text of `perf version`",
    "pprof-callgrind.txt": "a profile of callgrind or cachegrind",
    "pprof-raw.txt": "text of pprof",
    "pprof-top.txt": "text of pprof",
    "proc-interrupts.txt": "a table of /proc",
    "proc-meminfo.txt": "a table of /proc",
    "proc-softirqs.txt": "a table of /proc",
    "proc-status.txt": "a table of /proc",
    "pyspy.chrome.json": "a trace of Chrome",
    "pyspy.speedscope.json": "a profile of speedscope",
    "pyspy.svg": "a flame graph (SVG)",
    "python-importtime.txt": "times of Python's imports",
    "sar.txt": "text of sar, mpstat, pidstat or iostat",
    "smaps.txt": "/proc/PID/maps",
    "strace-c.txt": "a summary of strace -c",
    "strace-f.txt": "text of strace",
    "strace-k.txt": "text of strace",
    "strace.txt": "text of strace",
    "v8-processed.txt": "a profile of V8 (node --prof)",
    "valgrind.txt": "messages of valgrind",
    "wrk.txt": "a report of wrk",
}
# What is not made here: the magic numbers and first lines that each format's documents give.
WRITTEN = {
    "folded stacks of two sides (": b"iperf3;main;write 12 3\niperf3;main 3 0\n",
    "perf.data of version 1": b"PERFFILE" + bytes(100),  # __perf_magic1 in tools/perf/util/header.c
    "a map of a just-in-time compiler": b"7f0000001000 40 LHello;main\n7f0000001040 8 LBusy;run\n",
    "trace.dat of trace-cmd": b"\x17\x08\x44tracing6\0\0\x08",
    "text of `trace-cmd report`": b"cpus=2\n    sh-12 [001]   12.345678: sched_switch:   sh:12\n",
    "text of `perf c2c`": b"=====\n            Trace Event Information\n=====\n",
    "text of `perf lock`": b"                Name   acquired  contended   avg wait (ns)\n\n",
    "text of ltrace": b'strlen("x")      = 1\nputs("x")   = 2\n+++ exited (status 0) +++\n',
    "stacks of bpftrace": b"Attaching 1 probe...\n\n@[\n    tcp_sendmsg+5\n]: 12\n",
    "output of bpftrace without stacks: have it count": b"@bytes[iperf3]: 1234\n@bytes[wrk]: 99\n",
    "output of bpftrace without": b"@usecs: \n[2, 4)          1 |@@     |\n[4, 8)    12 |@@@@|\n",
    "output of bpftrace": b'{"type": "map", "data": {"@": {"a": 1}}}\n',
    "a report of spindump": b"Report Version:   30\n\nSteps:     1001 (10ms sampling interval)\n",
    "text of `simpleperf report`": b"Cmdline: /data/simpleperf record -g\nArch: arm64\n",
    "output of dtrace: ingest what": b"\n   genunix`kmem_cpu_reload+0x20\n   unix`idle\n      14\n",
    "output of a tool of bcc": b"Sampling at 49 Hertz of all threads by user + kernel stack.\n",
    "output of dtrace": b"CPU     ID                    FUNCTION:NAME\n  0   1234   read:entry\n",
    "text of tcpdump": b"12:00:01.123456 IP 10.0.0.1.5201 > 10.0.0.2.41000: UDP, length 64\n",
    "a packet capture (pcap)": b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0",
    "a report of simpleperf (protobuf)": b"SIMPLEPERF\x01\0",
    "a profile of Gecko, not processed yet: open it in the Firefox Profiler": b'{"meta":{"version":'
    b'24},"threads":[{"frameTable":{"schema":{"location":0}}}]}',
    "a profile of the Firefox Profiler without a version": b'{"meta":{},"frameTable":{"func":[]}}',
    "a profile of the Firefox Profiler in a JSLB container": b"\xdc\xdfJSLB\1\0" + bytes(12),
    "a heap dump of Java": b"JAVA PROFILE 1.0.2\0",
    "a trace of LTTng": b"\xc1\x1f\xfc\xc1",
    "a 7z archive": b"7z\xbc\xaf\x27\x1c\0\4",
    "a file compressed with lz4": b"\x04\x22\x4d\x18\x64\x40",
    "an HTML page": b"<!DOCTYPE html>\n<html><body>systrace</body></html>\n",
    "a dump of xperf": b"BeginHeader\r\n  P-Start, TimeStamp, Process Name ( PID)\r\n",
    "traces, logs or metrics of OpenTelemetry": b'{"resourceSpans":[{"resource":{}}]}\n',
    "JSON": b'{"a": 1}\n{"a": 2}\n',
    "a table of values": b"time,cpu\n1,2\n3,4\n",
    "XML that is no report": b"<?xml version='1.0'?>\n<report/>\n",
    "a trace of Instruments (": b"<?xml version='1.0'?>\n<trace-query-result/>\n",
    "a report of `sample` of macOS": b"Analysis of sampling app (pid 12) every 1 millisecond\n",
    "an empty file": b" \n\n",
    # https://gperftools.github.io/gperftools/cpuprofile-fileformat.html
    "a CPU profile of gperftools": struct.pack("<5Q", 0, 3, 0, 10_000, 0),
    "a heap profile of gperftools": b"heap profile:   100:  4096 [  200:  8192] @ heapprofile\n",
    "a heap profile of jemalloc": b"heap_v2/524288\n  t*: 28106: 56637512 [0: 0]\n",
    "a trace of .NET": b"Nettrace\x14\0\0\0!FastSerialization.1",
    "a profile of heaptrack": b"v 10400 2\nX ./app\nI 1000 400\n",
    "text of async-profiler": b"--- Execution profile ---\nTotal samples       : 100\n",
    "text of `py-spy dump`": b'Process 1: app\nPython v3.11.7\n\nThread 1 (active): "M"\n',
    "a summary of rbspy": b"Summary of profiling data so far:\n% self  % total  name\n",
    "text of `perf kvm`": b"\n\nAnalyze events for all VMs, all VCPUs:\n\n   VM-EXIT    Samples\n",
    "text of `perf top`": b"   PerfTop:    3210 irqs/sec  kernel:90.2%  exact:  0.0%\n-----\n",
    "text of `perf ftrace latency`": b"#   DURATION     |      COUNT | GRAPH        |\n",
    "text of `perf probe`": b"Added new event:\n  probe:tcp_sendmsg    (on tcp_sendmsg)\n",
    "output of bpftrace without stacks": b"@usecs:\n[0]      1 |@@   |\n[1]      2 |@@@@@|\n",
    "output of a tool of bcc: run": b"\n    schedule\n    -                app (12)\n   3\n",
    # perf script -l of perf 6.1; runtime/pprof of Go 1.19 with debug=1
    "a list of perf's scripts": b"List of available trace scripts:\n  rwtop [interval]  r/w top\n",
    "a profile of Go as text": b"--- mutex:\ncycles/second=2400000000\nsampling period=1\n",
    "a profile of Go as text (debug=1): get": b"goroutine profile: total 1\n1 @ 0x43 0x44\n",
    "a table of contents of Instruments": b'<?xml version="1.0"?>\n<trace-toc></trace-toc>\n',
    # `pidstat -h`, `iostat -y`, `turbostat -q`: no line of sysstat's or of a version in front
    "text of sar, mpstat, pidstat or iostat": b"# Time UID PID  %usr Command\n1 0 1 5 sh\n",
    "text of sar, mpstat, pidstat or iostat: it": b"avg-cpu:  %user %nice\n   1.00 0.00\n",
    "text of turbostat": b"Core\tCPU\tAvg_MHz\tBusy%\n-\t-\t12\t0.50\n",
    "text of turbostat: it has": b"turbostat version 2023.11.07 - Len Brown <lenb@kernel.org>\n",
    "text of numastat": b"              node0\nnuma_hit   76557759\nnuma_miss  30772308\n",
    "a profile of callgrind or": b"version: 1\nevents: Ir\nfl=(1) a.c\nfn=(1) main\n1 20\n",
}


def refusal(name: str, content: bytes | None) -> str:
    with (
        Source(name, None if content is None else io.BytesIO(content)) as source,
        pytest.raises(PerfduckError) as error,
    ):
        opened(source)
    return str(error.value)


def test_every_file_of_the_folder_is_tried() -> None:
    assert {path.name for path in FOREIGN.iterdir()} == {*WHAT, "README.md"}


@pytest.mark.parametrize("name", WHAT)
def test_a_file_of_another_tool_is_named(name: str) -> None:
    message = refusal(str(FOREIGN / name), None)
    assert re.fullmatch(rf"\S+:1: expected a recording, got {re.escape(WHAT[name])}: .+", message)
    assert "--lenient" not in message


@pytest.mark.slow
@pytest.mark.parametrize(("what", "content"), WRITTEN.items(), ids=WRITTEN)
def test_a_format_is_named_by_its_magic_or_first_lines(what: str, content: bytes) -> None:
    message = refusal("x", content)
    assert message.startswith(f"x:1: expected a recording, got {what}")
    assert "\n" not in message


# Texts that fit a layout without a time: each was read as samples.
LOOK_ALIKES = {
    "yaml": "a: 1\n",
    "uptime": " 06:48:19 up 11:13,  0 user,  load average: 14.67, 14.37, 12.73\n",
    "timeit": "10000000 loops, best of 5: 24.3 nsec per loop\n",
    "nstat": "#kernel\nIpInReceives                    1177202            0.0\n" * 2,
    "free": "               total        used\nMem:        24123456     1234567\nSwap: 0 0\n",
    "make": "all: a b\n\tgcc -o $@ $^\nclean:\n\trm -f a b\n",
    "messages": "ERROR: cannot attach: no such file\nWARNING: 3 lost\n",
    "key and number": "requests 1201\nerrors 3\n",
}


@pytest.mark.parametrize("text", LOOK_ALIKES.values(), ids=LOOK_ALIKES)
def test_words_numbers_and_colons_are_no_samples(text: str) -> None:
    message = refusal("x", text.encode())
    assert message.startswith("x:1: expected a recording")
    assert "--lenient" not in message


RECORDINGS = sorted(
    path
    for pattern in ("perf_script/*/input.txt*", "oprofile/*/reports/*", "demo/*.txt.xz",
                    "perf_data/*/recording.data*")
    for path in FIXTURES.glob(pattern)
)  # fmt: skip


@pytest.mark.slow
def test_no_recording_is_taken_for_something_else() -> None:
    assert len(RECORDINGS) > 150
    for path in RECORDINGS:
        with Source(str(path)) as source:
            assert (path, foreign.binary(source) or foreign.text(source)) == (path, None)


def threads(folder: Path) -> Path:
    """What `perf record --threads -o thr.data` leaves: `data` begins as perf.data, the rest not."""
    folder.mkdir()
    (folder / "data").write_bytes(b"PERFILE2" + bytes(200))
    (folder / "data.0").write_bytes(bytes(range(200)))
    return folder


@pytest.mark.parametrize("part", ["data", "data.0"])
def test_a_part_of_a_recording_of_threads_is_named_with_the_command_that_reads_it(
    part: str, tmp_path: Path
) -> None:
    folder = threads(tmp_path / "thr.data")
    message = refusal(str(folder / part), None)
    assert message.endswith(f"a part of a directory of `perf record --threads`: ingest {folder}")


@pytest.mark.parametrize(
    ("paths", "what"),
    [
        (["perf.data"], "a directory of `perf record --kcore`|a directory with recordings"),
        (["metadata", "channel0_0"], "a trace of LTTng"),
        (["form.template"], "a trace of Instruments: `xctrace export --input /.* --xpath"),
        (["corespace/a"], "a trace of Instruments: `xctrace export --input /.* --xpath"),
        (["a/b"], "a directory without a recording"),
    ],
)
def test_a_directory_is_named_by_what_is_in_it(paths: list[str], what: str, tmp_path: Path) -> None:
    for path in paths:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    assert re.search(what, refusal(str(tmp_path), None))


def test_a_directory_with_a_manifest_names_it() -> None:
    said = refusal(str(FIXTURES / "demo"), None)
    assert said.endswith(f"--manifest {FIXTURES / 'demo' / 'recordings.csv'}")


def test_a_directory_names_its_recordings_and_not_what_is_beside_them(tmp_path: Path) -> None:
    names = ("native.crr.1.conntrack.txt", "native.crr.1.txt.xz", "native.crr.1.wrk.txt")
    for name in names:
        (tmp_path / name).symlink_to(FIXTURES / "demo" / name)
    (tmp_path / "hosts.csv").write_text("host,cpus\na,2\n")
    said = refusal(str(tmp_path), None)
    assert said.endswith(f"ingest the files in it: {tmp_path}/native.crr.1.txt.xz")


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("run/perf.data.old", r"tar -xOf FILE run/perf.data.old \| perfduck ingest -"),
        (".build-id/4a/5a9b", "symbols that `perf archive` packed"),
    ],
)
def test_an_archive_is_named_by_what_is_in_it(path: str, what: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:bz2") as tar:
        member = tarfile.TarInfo(path)
        member.size = 8
        tar.addfile(member, io.BytesIO(b"PERFILE2"))
    source = Source("x.tar.bz2", io.BytesIO(buffer.getvalue()))
    with pytest.raises(PerfduckError, match=what):
        list(session_importer.open(source).batches(ImportOptions()))


def test_a_directory_names_its_recordings_alone(tmp_path: Path) -> None:
    """A Makefile has lines like samples; that it is none shows at its end."""
    for name in ("Makefile", "README.md"):
        (tmp_path / name).write_bytes((FIXTURES.parent / name).read_bytes())
    (tmp_path / "run.txt.xz").write_bytes(
        (FIXTURES / "demo" / "native.udp64.1.txt.xz").read_bytes()
    )
    with pytest.raises(PerfduckError) as raised, Source(str(tmp_path)) as source:
        opened(source)
    assert str(raised.value).startswith(f"{tmp_path}: expected a recording (")
    assert str(raised.value).endswith(f"ingest the files in it: {tmp_path}/run.txt.xz")
