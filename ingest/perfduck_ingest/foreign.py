"""What a file is that is no recording, and what to do: said when it is refused.

    maps.txt: expected a recording, got /proc/PID/maps: it goes beside `perf script` text ...
    out.folded: expected a recording, got folded stacks: ingest perf.data or `perf script` text ...

To name another format, add a row to BINARY (what the file begins with), TEXT (its lines), LOOSE
(texts that are recognised with less certainty, after every importer has declined), or DIRECTORIES
in foreign_directories.py.
"""

import re
from pathlib import Path

from msgspec import Struct

from perfduck_ingest.head import (
    Head,
    Test,
    begins,
    both,
    either,
    finds,
    holds,
    line,
    most,
    named,
)
from perfduck_ingest.runtime.subprocess_iter import PERF_DATA
from perfduck_ingest.source import Source

# What to do instead.
RECORD = "record with `perf record -g` and ingest perf.data"
_INGEST_PERF_DATA = "ingest perf.data itself, or the output of `perf script`"
_COLLAPSE = "ingest what `{} FILE` of inferno writes of it"
_FIREFOX = "open it in the Firefox Profiler and ingest what it saves"
_PPROF = "ingest what `go tool pprof -proto PROGRAM FILE` writes of it"
XCTRACE = (
    "`xctrace export --input {} --xpath '/trace-toc/*/data/table[@schema=\"time-profile\"]'"
    " | inferno-collapse-xctrace | perfduck ingest -`"
)
_NO_SAMPLES = f"it has no samples; {RECORD}"


class Foreign(Struct, frozen=True):
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
            begins(b"\xff\xfe", b"\xfe\xff")),
    Foreign("perf.data of version 1, as perf wrote it until 2012",
            "`perf script -i FILE | perfduck ingest -`: perf still reads it",
            begins(b"PERFFILE", b"ELIFFREP")),
    Foreign("trace.dat of trace-cmd", f"it has trace events; {RECORD}",
            begins(b"\x17\x08\x44tracing")),
    Foreign("gmon.out of gprof", RECORD, begins(b"gmon")),
    Foreign("a CPU profile of gperftools", _PPROF,  # header: 0, 3 words, version 0
            begins(b"\0\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")),
    Foreign("a trace of .NET (nettrace)",
            "run it with DOTNET_PerfMapEnabled=1 and record it with `perf record -g`",
            begins(b"Nettrace")),
    Foreign("an ELF file (program, library, module or core)",
            "give it with --symbols DIR or --vmlinux beside a recording", begins(b"\x7fELF")),
    Foreign("a program of macOS or Windows", "ingest a recording of Linux perf",
            begins(b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"MZ\x90")),
    Foreign("a DuckDB database", "if it is a store of perfduck, open it with --store FILE",
            begins(b"DUCK", at=8)),
    Foreign("an SQLite database", RECORD, begins(b"SQLite format 3\0")),
    Foreign("a Parquet file", RECORD, begins(b"PAR1")),
    Foreign("an Arrow file", RECORD, begins(b"ARROW1")),
    Foreign("a zip archive", "read a file of it with `unzip -p FILE NAME | perfduck ingest -`",
            begins(b"PK\3\4", b"PK\5\6")),
    Foreign("a 7z archive", "read a file of it with `7z e -so FILE NAME | perfduck ingest -`",
            begins(b"7z\xbc\xaf\x27\x1c")),
    Foreign("a RAR archive", _UNPACK, begins(b"Rar!\x1a\7")),
    Foreign("a file compressed with lz4", "read it with `lz4 -dc FILE | perfduck ingest -`",
            begins(b"\x04\x22\x4d\x18")),
    Foreign("a file compressed with lzop", "read it with `lzop -dc FILE | perfduck ingest -`",
            begins(b"\x89LZO\0")),
    Foreign("a file compressed with compress", "read it with `zcat FILE | perfduck ingest -`",
            begins(b"\x1f\x9d")),
    Foreign("an rpm or deb package", _UNPACK, begins(b"\xed\xab\xee\xdb", b"!<arch>\ndebian")),
    Foreign("a static library", "give its program with --symbols DIR", begins(b"!<arch>\n")),
    Foreign("a Java Flight Recorder file",
            "ingest what `jfrconv -o collapsed FILE OUT` of async-profiler writes of it",
            begins(b"FLR\0")),
    Foreign("a profile of the Firefox Profiler in a JSLB container",
            "open it in the Firefox Profiler and save it as JSON",
            begins(b"\xdc\xdfJSLB")),
    Foreign("a heap dump of Java (hprof)", _NO_SAMPLES, begins(b"JAVA PROFILE 1.0")),
    Foreign("an execution trace of Go", f"it has no samples of the kernel; {RECORD}",
            finds(rb"\Ago 1\.\d+ trace\0")),
    Foreign("a report of simpleperf (protobuf)",
            "ingest the perf.data that `simpleperf record` wrote", begins(b"SIMPLEPERF")),
    Foreign("a trace of LTTng or babeltrace (CTF)", f"it has trace events; {RECORD}",
            begins(b"\xc1\x1f\xfc\xc1", b"\xc1\xfc\x1f\xc1", b"/* CTF ")),
    Foreign("a Fuchsia trace", RECORD, begins(b"\x10\0\x04FxT\x16\0")),
    Foreign("a Perfetto trace", RECORD, named(".perfetto-trace", ".pftrace", ".perfetto")),
    Foreign("a packet capture (pcap)", f"it has packets and no samples; {RECORD}",
            begins(b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1",
                    b"\xa1\xb2\x3c\x4d", b"\x0a\x0d\x0d\x0a")),
    Foreign("an event trace of Windows (ETW)", f"ingest a recording of Linux perf; {RECORD}",
            both(_is_binary, named(".etl"))),
    Foreign("a memray file", RECORD, begins(b"memray\0")),
    Foreign("counts of gcov", RECORD, begins(b"adcg", b"oncg", b"gcda", b"gcno")),
    Foreign("arrays of NumPy", RECORD, begins(b"\x93NUMPY")),
    Foreign("an Avro file", RECORD, begins(b"Obj\1")),
    Foreign("a pickle of Python", RECORD, begins(b"\x80\3", b"\x80\4", b"\x80\5")),
    Foreign("statistics of cProfile", RECORD,
            both(_is_binary, finds(rb"\A[\xfb{]?[\xa9)(]\x03"))),
    Foreign("data of sar (sysstat)", f"it has no samples; {RECORD}",
            begins(b"\x96\xd5", b"\xd5\x96")),
    Foreign("nothing but zero bytes", "was its disk full, or the copy cut off? " + RECORD,
            lambda head: not head.content.strip(b"\0")),
    Foreign("a PDF or an image", RECORD, begins(b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8")),
]  # fmt: skip

_TIME_OF_DAY = r"(?:\d\d:\d\d:\d\d(?:\.\d+)?|\d+\.\d+)"
_JSON = rb"\A\s*(?:\{\s*[\"}]|\[\s*[\[{\"\]])"  # `[000] 12.5: cycles:` is a sample without comm
TEXT = [
    Foreign("/proc/PID/maps", f"it names memory and has no samples; {RECORD}",
            most(r"[0-9a-f]{8,16}-[0-9a-f]{8,16} [rwxsp-]{4} [0-9a-f]{8,} [0-9a-f]+:[0-9a-f]+ .*"
                  r"|[A-Z]\w+: +.*", one=r"^[0-9a-f]{8,16}-")),
    Foreign("/proc/kallsyms or a System.map", "give it with --kallsyms FILE beside a recording",
            most(r"[0-9a-f]{8,16} [A-Za-z?] \S+(?:\t\[\S+\])?")),
    Foreign("a map of a just-in-time compiler (perf-PID.map)",
            "leave it in /tmp of --symbols DIR and ingest perf.data",
            most(r"(?:0x)?[0-9a-f]{6,16} [0-9a-f]{1,6} \S.*")),
    Foreign("text of ftrace", f"it has trace events and no samples; {RECORD}",
            either(
                line(r"# tracer: \w+"),
                most(r"#.*| *\S.*-\d+ +(?:\( *[-\d]+\) +)?\[\d{3}\] +[.\w#]{4,6} +\d+\.\d+: \S.*"
                      r"| *\d+\) .*\|.*", one=r"^[^#]"))),
    Foreign("text of `trace-cmd report`", f"it has trace events and no samples; {RECORD}",
            both(line(r"cpus=\d+|version = \d+"), line(r" *\S.*-\d+ +\[\d+\] .*: .*"))),
    Foreign("folded stacks of two sides (difffolded)",
            "ingest the folded stacks of each side, and use `perfduck diff`",
            most(r"\S[^\t]*;[^\t]* \d+(?:\.\d+)? \d+(?:\.\d+)?")),
    Foreign("text of `perf report -D` or `perf script -D`", _INGEST_PERF_DATA,
            line(r"(?:\d+ )*0x?[0-9a-f]+ \[(?:0x)?[0-9a-f]+\]: (?:event: \d+|PERF_RECORD_.*)")),
    Foreign("text of `perf diff`", f"{_INGEST_PERF_DATA} of both, and use `perfduck diff`",
            line(r"# Baseline +Delta.*")),
    Foreign("text of `perf report`", _INGEST_PERF_DATA,
            either(
                line(r"# (?:Overhead|Children) .*|# Samples: .* of event.*|Aggregated stats:"
                      r"|# To display the perf\.data header info, .*"
                      r"|# +pid +tid +ppid +comm"),
                most(r" +\d+\.\d\d%.*\[[.kguH]\] .*| +[|-].*", one="%"))),
    Foreign("text of `perf annotate`", _INGEST_PERF_DATA,
            line(r" *Percent(?:.*\|)?.*(?:Source code & Disassembly|Disassembly of) .*")),
    Foreign("text of `perf c2c`", _INGEST_PERF_DATA,
            line(r"(?: *Trace Event Information *|.*Shared Data Cache Line Table.*)")),
    Foreign("text of `perf kvm`", _NO_SAMPLES, line(r"Analyze events for .* VCPUs?.*:")),
    Foreign("text of `perf top`", RECORD, line(r" *PerfTop: .*")),
    Foreign("text of `perf ftrace latency`", _NO_SAMPLES,
            line(r"# +DURATION +\| +COUNT +\| GRAPH .*")),
    Foreign("text of `perf probe`", _NO_SAMPLES, line(r"Added new events?:")),
    Foreign("text of `perf sched`", f"it has no stacks of samples; {RECORD}",
            line(r" *Task +\| +Runtime ms +\|.*| +time +cpu +task name +wait time.*|"
                  r"run measurement overhead: .*")),
    Foreign("text of `perf sched map`", f"it has no stacks of samples; {RECORD}",
            most(r" +(?:\*?(?:[A-Z0-9.]\w?|\.|-) +)+\d+\.\d{6} secs.*")),
    Foreign("text of `perf bench`", _NO_SAMPLES, line(r"# Running '?\S+'? benchmark:")),
    Foreign("text of `perf evlist`", _INGEST_PERF_DATA,
            most(r".*: (?:type: \d+, )?.*\{ sample_period, sample_freq \}: .*|# Tip: .*")),
    Foreign("a list of perf's scripts (`perf script -l`)", "ingest what `perf script` alone writes",
            line(r"List of available trace scripts:")),
    Foreign("text of `perf lock`", _INGEST_PERF_DATA,
            line(r" *Name +acquired +contended .*| *contended +total wait +max wait .*")),
    Foreign("text of `perf trace`", _NO_SAMPLES,
            either(line(r" *Summary of events:"),
                    most(r" *(?:\d+\.\d+|\?) \( *(?:\d+\.\d+ ms *)?\): \S.*"),
                    # of tracepoints, with the frames of --call-graph behind them
                    most(r" *\d+\.\d{3} \S.*/\d+ \w+:\w+\(.*\)| {30,}\S.* \(.*\)",
                         one=r"^ *\d+\.\d{3} "))),
    Foreign("text of `perf stat`", f"it has counts and no samples; {RECORD}",
            either(
                line(r" *Performance counter stats for .*|# +time +counts +unit events"),
                line(r'\{(?:"interval" : [\d.]+, )?(?:"\w+" : "[^"]*", )?"counter-value" : .*'),
                most(r"#.*|(?:\s*[\d.]+,)?(?:[\w-]+,\d*,)?(?:[\d.]+|<not \w+>),[^,]*,"
                      r"[\w.:/=,-]+,\d+,[\d.]+,.*", one=r"^[^#]"))),
    Foreign("a list of build ids", _INGEST_PERF_DATA, most(r"[0-9a-f]{40} (?:/|\[).*")),
    Foreign("the kernel's log (dmesg)", _NO_SAMPLES,
            most(r"(?:<\d+>)?\[ *\d+\.\d{6}\](?:\[ *\w+\])? .*")),
    Foreign("text of ltrace", _NO_SAMPLES,
            both(most(rf"(?:\d+ |\[pid \d+\] )?(?:{_TIME_OF_DAY} )?"
                        r"(?:[\w.@:>-]+\(.*|<\.\.\. .*|---.*|\+\+\+.*|\S+ = .*)"),
                  # strace prints a number where ltrace may print an address or a text
                  line(r".*\+\+\+ exited \(status \d+\) \+\+\+|[\w.]+->\w+\(.*"
                        r"|\w+\(.*\) +(?:= <void>|= nil|= \"[^\"]*\")"))),
    Foreign("text of strace", _NO_SAMPLES,
            most(rf"(?:\d+ +|\[pid +\d+\] )?(?:{_TIME_OF_DAY} )?"
                  r"(?:\w+\(.*|\+\+\+ .* \+\+\+|--- SIG.*|<\.\.\. .*|strace: .*)| > /.*",
                  one=r"\) += |\+\+\+ exited with ")),
    Foreign("a summary of strace -c", _NO_SAMPLES, line(r"% time +seconds +usecs/call .*")),
    Foreign("text of gprof", RECORD, line(r"Flat profile:|\t*Call graph \(explanation .*\)")),
    Foreign("a profile of callgrind or cachegrind",
            RECORD, line(r"# callgrind format|creator: callgrind.*|desc: I1 cache:.*"
                           r"|events: [A-Z]\w*(?: \w+)*|fn=\(\d+\) .*"
                           r"|positions: (?:instr )?line|Profile data file '.*' .*"
                           r"|-- (?:Cachegrind profile|Metadata|I1 cache:.*)|I1 cache: .*B, .*")),
    Foreign("a profile of massif", f"it has memory and no samples; {RECORD}",
            line(r"desc: .*massif.*|snapshot=\d+|Massif arguments: .*")),
    Foreign("messages of valgrind", RECORD, most(r"==\d+== ?.*")),
    Foreign("stacks of bpftrace",
            "ingest what `stackcollapse-bpftrace.pl FILE` of FlameGraph writes of it",
            line(r"@\w*\[")),
    Foreign("output of bpftrace without stacks",
            "have it count `@[kstack, ustack, comm] = count()` and ingest what"
            " `stackcollapse-bpftrace.pl FILE` of FlameGraph writes of that",
            line(r"Attach(?:ing|ed) \d+ probes?\b.*|@\w*\[.*\]: \d+|@\w*:(?: \d*)?"
                  r'|\{"type": "(?:attached_probes|map|hist|stats)".*')),
    Foreign("output of a tool of bcc", "run it with -f and ingest the folded stacks",
            line(r"(?:Sampling at \d+ Hertz of|Tracing (?:off-CPU time|\d+ functions)) .*"
                  r"| {4}- +\S.* \(\d+\)")),
    Foreign("a profile of Go as text (debug=1)", "get it without `debug=1` and ingest that",
            line(r"--- (?:contention|mutex):|(?:goroutine|threadcreate) profile: total \d+")),
    Foreign("a heap profile of gperftools or Go", _PPROF, line(r"heap profile: +\d+: +\d+ \[.*")),
    Foreign("a heap profile of jemalloc",
            "ingest what `jeprof --collapsed PROGRAM FILE` writes, with --event alloc=bytes",
            line(r"heap_v2/\d+")),
    Foreign("a profile of heaptrack", f"it has memory and no samples; {RECORD}",
            both(line(r"v [0-9a-f]+ [0-9a-f]+"), line(r"[Xx] .*"))),
    Foreign("text of async-profiler", "ingest what `asprof -o collapsed` writes",
            line(r"--- Execution profile ---")),
    Foreign("text of `py-spy dump`", "ingest what `py-spy record -f raw` writes",
            both(line(r"Process \d+: .*"), line(r"Python v\d.*"))),
    Foreign("a summary of rbspy", "ingest what `rbspy record --format collapsed` writes",
            line(r"Summary of profiling data so far:")),
    Foreign("a report of `sample` of macOS", _COLLAPSE.format("inferno-collapse-sample"),
            line(r"Analysis of sampling .* every \d+ milliseconds?|Sampling process \d+ .*")),
    Foreign("a trace of Instruments (xctrace export)",
            _COLLAPSE.format("inferno-collapse-xctrace"), holds(b"<trace-query-result")),
    Foreign("a table of contents of Instruments (xctrace export --toc)",
            XCTRACE.format("NAME.trace"), holds(b"<trace-toc")),
    Foreign("output of dtrace", _COLLAPSE.format("inferno-collapse-dtrace"),
            either(line(r"CPU +ID +FUNCTION:NAME|dtrace: description .*"),
                    most(r" +\S+`\S+| +0x[0-9a-f]+| +\d+", one="`"))),
    Foreign("a report of spindump of macOS",
            "ingest what `inferno-collapse-sample FILE` of inferno writes of a report of `sample`",
            line(r"Steps: +\d+ \(.* sampling interval\)")),
    Foreign("text of `simpleperf report`", "ingest the perf.data that `simpleperf record` wrote",
            line(r"Cmdline: .*simpleperf record.*")),
    Foreign("text of tcpdump", f"it has packets and no samples; {RECORD}",
            most(rf"(?:\d{{4}}-\d\d-\d\d )?{_TIME_OF_DAY} (?:\S+ +(?:In|Out) +)?"
                  r"(?:IP6?|ARP|STP|LLDP|MPLS|[0-9a-f:]{17} >) .*|\t0x[0-9a-f]{4}: .*")),
    Foreign("a report of iperf3", "give it with --work-from FILE beside a recording",
            line(r"Connecting to host .*, port \d+|\[ *ID\] +Interval +Transfer.*")),
    Foreign("a report of wrk", "give it with --work-from FILE beside a recording",
            line(r"Running \d\S* test @ .*")),
    Foreign("a report of sockperf", "give it with --work-from FILE beside a recording",
            line(r"sockperf: .*")),
    Foreign("a thread dump of Java", RECORD, line(r"Full thread dump .*")),
    Foreign("backtraces of gdb", RECORD,
            either(line(r"(?:Temporary b|B)reakpoint \d+(?: at 0x.*|, .*)"),
                    most(r"#\d+ +.*|Thread \d+ .*| +\S.*", one=r"^#0 +"))),
    Foreign("a profile of Gecko, not processed yet",
            f"{_FIREFOX}; of perf, ingest perf.data",
            holds(b'"meta"', b'"frameTable"', b'"schema"')),
    Foreign("a profile of the Firefox Profiler without a version in its first MB",
            "open it there and save it again", holds(b'"meta"', b'"frameTable"')),
    Foreign("a profile of speedscope",
            "ingest folded stacks of the same tool, such as `py-spy record -f raw`",
            holds(b"speedscope.app/file-format-schema")),
    Foreign("a CPU profile of V8 (.cpuprofile)",
            f"{_FIREFOX}, or run node with --perf-basic-prof and record it with `perf record -g`",
            holds(b'"nodes"', b'"callFrame"')),
    Foreign("a trace of Chrome", _FIREFOX, finds(rb'"traceEvents"|"ph" *: *"\w"')),
    Foreign("JSON of `perf data convert`", _INGEST_PERF_DATA, holds(b'"linux-perf-json-version"')),
    Foreign("a report of iperf3", "give it with --work-from FILE beside a recording",
            holds(b'"start"', b'"iperf')),
    Foreign("traces, logs or metrics of OpenTelemetry", f"it has no samples; {RECORD}",
            finds(rb'"resource(?:Spans|Logs|Metrics)"')),
    Foreign("JSON", f"perfduck reads that of OTLP and of the Firefox Profiler; {RECORD}",
            finds(_JSON)),
    Foreign("a dump of xperf", f"ingest a recording of Linux perf; {RECORD}",
            lambda head: head.content.startswith(b"BeginHeader")),
]  # fmt: skip
LOOSE = [
    Foreign("a header of perf without samples", _INGEST_PERF_DATA, line(r"# captured on *: .*")),
    Foreign("text of `perf list`", _NO_SAMPLES, line(r".*\[(?:Hardware|Software) event\]")),
    Foreign("text of `perf version`", _NO_SAMPLES, line(r"perf version \d.*")),
    Foreign("source code", RECORD,
            line(r"#include [<\"].*|package \w+;?|import java\..*|(?:public )?class \w+ .*\{"
                  r"|#!/.*|#ifndef \w+|def \w+\(.*\):")),
    Foreign("text of `jfr print` or `jfr summary`",
            "ingest what `jfrconv -o collapsed FILE OUT` of async-profiler writes of its recording",
            line(r"jdk\.\w+ \{| Event Type +Count +Size \(bytes\) *")),
    Foreign("a log of Java's garbage collector", _NO_SAMPLES,
            most(r"\[\d.*\]\[\w+ *\]\[[\w,]+ *\] .*")),
    Foreign("a histogram of Java's heap", _NO_SAMPLES, line(r" num +#instances +#bytes .*")),
    Foreign("text of pprof", RECORD,
            line(r"PeriodType: \w+ \w+|Showing nodes accounting for .*| +flat +flat% +sum% .*"
                  r"|-{11}\+-+")),
    Foreign("stacks of Go's goroutines", RECORD, line(r"goroutine \d+ \[.*\]:")),
    Foreign("a graph of Graphviz", RECORD, line(r"(?:di)?graph (?:\S+ )?\{")),
    Foreign("a profile of V8 (node --prof)", RECORD,
            line(r"v8-version,\d.*|Statistical profiling result from .*")),
    Foreign("statistics of cProfile", RECORD, line(r" +ncalls +tottime +percall .*")),
    Foreign("times of Python's imports", RECORD, line(r"import time: self \[us\].*")),
    Foreign("text of gcov", RECORD, line(r" +-: +0:Source:.*")),
    Foreign("a stack of /proc/PID/stack", RECORD, most(r"\[<[0-9a-f]+>\] \S+")),
    Foreign("text of objdump, nm, readelf or ldd", "give the file itself with --symbols DIR",
            either(line(r".*: +file format \w+-\S+|ELF Header:|\tlinux-vdso\.so\.1 \(0x.*"
                          r"| +text\t +data\t +bss\t.*"),
                    most(r"(?:[0-9a-f]{16}| {16}) [A-Za-z?] \S+"))),
    Foreign("tracked connections", "keep it beside a recording with --attach NAME=FILE",
            most(r"(?:ipv\d +\d+ +)?(?:tcp|udp|icmp\w*|sctp|gre) +\d+ .*src=.*")),
    Foreign("rules of iptables", "give it with --attach iptables=FILE beside a recording",
            line(r"# Generated by ip6?tables-save .*|\*(?:nat|filter|mangle|raw)")),
    Foreign("text of sar, mpstat, pidstat or iostat", _NO_SAMPLES,
            line(r"Linux \S+ \(.*\) +\t.*\t_\w+_\t\(\d+ CPU\)|# Time +UID +PID .*%usr .*"
                  r"|avg-cpu: +%user .*|Device +(?:r/s|tps) .*")),
    Foreign("text of turbostat", _NO_SAMPLES,
            line(r"turbostat version \d.*|(?:\S+[\t ]+)*(?:Avg|Bzy)_MHz[\t ].*")),
    Foreign("text of numastat", _NO_SAMPLES, line(r"numa_hit +\d+.*")),
    Foreign("text of top, ps or vmstat", _NO_SAMPLES,
            line(r"top - .* load average: .*| *(?:USER +)?PID .*(?:COMMAND|CMD|Command)"
                  r"|procs -+memory-+.*")),
    Foreign("a table of /proc", _NO_SAMPLES,
            line(r" {8,}CPU0 +.*|cpu  \d+ \d+ .*|Inter-\|   Receive .*|processor\t: 0"
                  r"|slabinfo - version: .*|MemTotal: +\d+ kB|nr_free_pages \d+"
                  r"|Name:\t.*")),
    Foreign("counters of network devices", "keep it beside a recording with --attach NAME=FILE",
            line(r"\d+: \S+: <[A-Z_,-]+> mtu .*")),
    Foreign("a flame graph (SVG)", "ingest the perf.data or `perf script` text that it was made of",
            both(holds(b"<svg"), finds(rb"flame|\d samples"))),
    Foreign("an image (SVG)", RECORD, holds(b"<svg")),
    Foreign("an HTML page", RECORD,
            finds(rb"\A.{0,4096}<(?:!doctype )?html")),
    Foreign("XML that is no report of `opreport -X`", RECORD,
            finds(rb"\A(?:\xef\xbb\xbf)?<\?xml")),
    Foreign("a table of values separated by commas (CSV)", RECORD,
            lambda head: len(head.lines) > 1 and head.lines[0].count(",") > 0
            and len({line.count(",") for line in head.lines}) == 1),
]  # fmt: skip


def binary(source: Source) -> Foreign | None:
    """What a file is by what it begins with, or by the files beside it."""
    path = source.path
    if re.fullmatch(r"data(?:\.\d+)?", path.name) and _is_of_threads(path.parent):
        what = "a part of a directory of `perf record --threads`"
        return Foreign(what, f"ingest {path.parent}", begins())
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
    if not path.is_file():  # to open a FIFO waits
        return False
    try:
        with path.open("rb") as file:
            return file.read(8) in PERF_DATA
    except OSError:
        return False
