"""opreport text: headers of all versions, other columns, talk in between, and what is refused."""

import io
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oprofile_files import RECORDINGS, batch_of, functions

from perfduck_ingest.formats import opened
from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.oprofile import text_importer
from perfduck_ingest.oprofile.report_header import ReportHeader
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch
from perfduck_model.errors import PerfduckError

COUNTED = (
    "Counted CPU_CLK_UNHALTED events (Clock cycles when not halted) with a unit mask of 0x00"
    " (No unit mask) count 100000\n"
)
TABLE = "samples  %        symbol name\n60       60.0000  one\n40       40.0000  two(int, char)\n"


def read(text: str) -> Batch:
    source = Source("report.txt", io.BytesIO(text.encode()))
    assert text_importer.open(source)
    (batch,) = text_importer.open(source).batches(ImportOptions())
    return batch


@pytest.mark.parametrize(
    ("cpu", "unit", "period"),
    [
        ("CPU: P4 / Xeon, speed 2000 MHz (estimated)", "ns", 50_000),
        ("CPU: Core 2, speed 2.601e+06 MHz (estimated)", "ns", 38447),  # 0.9.x: kHz
        ("CPU: AMD64 family10", "cycles", 100_000),
        ("CPU: Intel Core Solo / Duo, speed 0 MHz (estimated)", "cycles", 100_000),
    ],
)
def test_the_clock_makes_nanoseconds_of_cycles(cpu: str, unit: str, period: int) -> None:
    batch = read(f"{cpu}\n{COUNTED}{TABLE}")
    assert batch.facts.events["CPU_CLK_UNHALTED"].unit == unit
    assert batch.samples["period"].sum() == pytest.approx(period * 100, rel=1e-4)


@pytest.mark.parametrize(
    ("line", "event", "unit"),
    [
        ("Profiling through timer interrupt", "TIMER", "sample"),
        ("Counted RTC_INTERRUPTS events (RTC interrupts/sec) count 1024", "RTC_INTERRUPTS",
         "RTC_INTERRUPTS"),
        ("Counted L2_REQS events (number of (some) requests) with a unit mask of 0x7f (multiple"
         " flags) count 500", "L2_REQS:0x7f", "L2_REQS"),
        ("Counted INST_RETIRED events (a) with a unit mask of 0x01 ((name=any_p) b (c)) count 7",
         "INST_RETIRED:0x01", "INST_RETIRED"),
    ],
)  # fmt: skip
def test_event_lines_of_all_kinds_are_read(line: str, event: str, unit: str) -> None:
    batch = read(f"CPU: CPU with timer interrupt, speed 0 MHz (estimated)\n{line}\n{TABLE}")
    assert {name: one.unit for name, one in batch.facts.events.items()} == {event: unit}
    assert batch.samples["count"].sum() == 100


TALK = [
    "Using /home/x/oprofile_data/samples/ for samples directory.",
    "warning: /memfd:x could not be found.",
    "warning: the last modified time of the binary file does not match that of the sample file"
    " for /bin/x",
    "Either this is the wrong binary or the binary has been modified since the sample file was"
    " created.",
    "",
    "WARNING: Lost samples detected! See /home/x/operf.log for details.",
]


@pytest.mark.parametrize("place", range(6))
def test_what_opreport_says_on_stderr_is_passed_over_anywhere(place: int) -> None:
    lines = ["CPU: X, speed 1000 MHz (estimated)", COUNTED.strip(), *TABLE.splitlines()]
    lines[place:place] = TALK
    batch = read("\n".join(lines) + "\n")
    assert batch.samples["count"].sum() == 100
    assert len(batch.skipped) == 0


def test_functions_may_be_called_like_a_warning() -> None:
    batch = read(COUNTED + TABLE + "5        5.0000   blk_throttl_bio\n")
    assert ("CPU_CLK_UNHALTED", "blk_throttl_bio", "[unknown]") in functions(batch)


def test_a_line_that_is_no_row_is_skipped_and_counted() -> None:
    batch = read(COUNTED + TABLE + "-- end of report --\n")
    assert batch.skipped.rows() == [(5, "-- end of report --", "not a row of the report")]


WIDE = "samples  %        image name               app name                 symbol name\n"


def test_names_wider_than_their_column_are_read() -> None:
    rows = [
        "9        9.0000   _multiarray_umath.cpython-311-x86_64-linux-gnu.so python3.11"
        "               _aligned_cast_ulong_to_double",
        "8        8.0000   anon (tgid:18727 range:0x7f3ac0938000-0x7f3ac0ba7fff) java"
        "                     anon (tgid:18727 range:0x7f3ac0938000-0x7f3ac0ba7fff)",
        "7        7.0000   kallsyms                 memfd:sealed-91173221a7ea (deleted) do_futex",
        "6        3.8e-04  libc.so.6                x                        clock@@GLIBC_2.17",
        "5        0.0000   libx.so                  x                        /usr/lib/libx.so",
    ]
    batch = read(COUNTED + WIDE + "\n".join(rows) + "\n")
    assert functions(batch) == {
        ("CPU_CLK_UNHALTED", "_aligned_cast_ulong_to_double",
         "_multiarray_umath.cpython-311-x86_64-linux-gnu.so"): 9,
        ("CPU_CLK_UNHALTED", "[unknown]", "//anon"): 8,
        ("CPU_CLK_UNHALTED", "do_futex", "[kernel.kallsyms]"): 7,
        ("CPU_CLK_UNHALTED", "clock", "libc.so.6"): 6,
        ("CPU_CLK_UNHALTED", "[unknown]", "/usr/lib/libx.so"): 5,
    }  # fmt: skip
    assert set(batch.samples["comm"]) == {"python3.11", "java", "memfd:sealed-91173221a7ea", "x"}


def test_modules_without_their_file_are_told_from_programs() -> None:
    rows = [
        "9        9.0000   nf_conntrack             iperf3                   /nf_conntrack",
        "8        8.0000   coredns                  coredns                  /coredns",
        "7        7.0000   bridge                   bridge                   /usr/sbin/bridge",
        "6        6.0000   bridge.ko                iperf3                   br_handle_frame",
    ]
    batch = read(COUNTED + WIDE + "\n".join(rows) + "\n")
    assert {dso: count for (_, _, dso), count in functions(batch).items()} == {
        "[nf_conntrack]": 9, "/coredns": 8, "/usr/sbin/bridge": 7, "[bridge]": 6,
    }  # fmt: skip


def test_windows_line_ends_and_a_missing_last_one_are_no_matter() -> None:
    batch = read((COUNTED + TABLE).replace("\n", "\r\n").rstrip())
    assert batch.samples["count"].sum() == 100


@pytest.mark.parametrize("name", ["diff-archive-l", "diff-archive-l-a"])
def test_a_differential_report_is_refused(name: str) -> None:
    path = RECORDINGS / "diff" / f"{name}.out"
    with pytest.raises(PerfduckError, match=r":3: expected the report of one profile, got a diff"):
        batch_of(text_importer, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("error: no sample files found: profile specification too strict ?\n", "too strict"),
        ("/usr/bin/opreport error: Already displaying results for parameter tgid with values:\n"
         "tgid:15,tgid:21,\nwhich conflicts with parameter tid.\n", "Already displaying results"),
        (COUNTED, "expected a table of opreport, got"),
        (COUNTED + COUNTED + TABLE, "expected 2 columns by the header, got 1"),
    ],
)  # fmt: skip
def test_text_without_a_table_is_refused(text: str, message: str) -> None:
    with pytest.raises(PerfduckError, match=message):
        list(text_importer.read(Source("r.txt", io.BytesIO(text.encode())), ImportOptions()))


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\0\1\2", b"hello\n", b"# comment\n12.5 main\n", b"1 2 3\n", b"<profile>",
        b"swapper     0 [000]  12.345678:     250000 cycles:k: \n\tffffffff81a01234 x (y)\n",
        b"    12.50%  iperf3  [kernel.kallsyms]  [k] ipt_do_table\n",
    ],
)  # fmt: skip
def test_other_text_is_not_taken_for_opreports(text: bytes) -> None:
    assert not text_importer.open(Source("x", io.BytesIO(text)))


REPORTS = [
    ("app-callgraph", "c-t1"), ("app-flat", "opreport"), ("app-flat", "l-n"), ("app-jit", "d"),
]  # fmt: skip


def content_of(recording: str, shape: str) -> bytes:
    (path,) = (RECORDINGS / recording / "reports").glob(f"{shape}.out*")
    return b"".join(Source(str(path), io.BytesIO(path.read_bytes())).chunks(1 << 20))[:6000]


CONTENTS = [content_of(*report) for report in REPORTS]


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(st.data())
def test_changed_text_is_refused_or_read_but_never_a_traceback(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(CONTENTS)))
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(content) - 1))
        length = data.draw(st.integers(0, 30))
        content[place : place + length] = data.draw(
            st.binary(max_size=8) | st.sampled_from([b"\n", b"9" * 40, b"%", b"-" * 79 + b"\n"])
        )
    try:
        source = Source("report.txt", io.BytesIO(bytes(content)))
    except PerfduckError:  # it begins like a compressed file
        return
    text_importer.open(source)
    with suppress(PerfduckError):
        list(text_importer.read(source, ImportOptions()))


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=300))
def test_a_header_takes_any_line(line: str) -> None:
    ReportHeader().take(line)


@pytest.mark.parametrize(
    ("recording", "shape", "raw"),
    [("app-flat", "l-t", 1258), ("pod-flat-q", "l-t", 22845), ("app-callgraph", "c-t1", 1265),
     ("app-flat", "l-e", None), ("pod-flat-q", "l", None), ("app-flat", "d", None),
     ("native-flat-q", "opreport-t1", 22939)],
)  # fmt: skip
def test_a_report_under_a_threshold_says_how_much_it_is_of(
    recording: str, shape: str, raw: int | None
) -> None:
    (path,) = (RECORDINGS / recording / "reports").glob(f"{shape}.out*")
    batch = batch_of(text_importer, path)
    if raw is None:
        assert batch.facts.raw_samples is None
    else:
        assert batch.facts.raw_samples == pytest.approx(raw, rel=1e-4)


def test_each_report_finds_its_importer() -> None:
    for path in sorted(RECORDINGS.glob("*/reports/*.out*")):
        source = Source(str(path), io.BytesIO(path.read_bytes()))
        wanted = "opreport-xml" if path.name.startswith("X") else "opreport-text"
        assert (path.name, opened(source).format) == (path.name, wanted)


def test_a_heading_of_other_columns_is_skipped() -> None:
    """As a damaged report has it: applications of one column, then a heading of two."""
    one, two = "CPU_CLK_UNHALT...|", "CPU_CLK_UNHALT...|INST_RETIRED:2...|"
    rows = "       60 60.0000 a\n", "       40 40.0000 b\n"
    batch = read(f"{COUNTED}{one}\n{rows[0]}{two}\n{rows[1]}")
    assert batch.samples["count"].sum() == 100
    assert batch.skipped["line"].to_list() == [4]
