"""Samples in = stored + skipped, over real files that were changed; counted by slow readers.

The readers here share no code with perfduck: they know the lines of a report by their first
characters, add up XML with ElementTree, and unpack one node of a sample file after the other.
"""

import gzip
import io
import re
import struct
import tarfile
import xml.etree.ElementTree as etree
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from oprofile_files import KALLSYMS, RECORDINGS, archive, batch_of

from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.oprofile import session_importer, text_importer, xml_importer
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch
from perfduck_model.errors import PerfduckError

QUIET = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])


def content_of(name: str) -> str:
    content = (RECORDINGS / name).read_bytes()
    return (gzip.decompress(content) if name.endswith(".gz") else content).decode()


TEXTS = [
    content_of(f"{name}.out.gz").splitlines()
    for name in ("app-flat/reports/l", "app-flat/reports/d", "app-flat/reports/l-everything",
                 "app-callgraph/reports/c", "pod-2events/reports/l-kern-only")
]  # fmt: skip
SUMMARIES = [
    content_of(f"{name}.out").splitlines()
    for name in ("app-flat/reports/opreport", "pod-2events/reports/opreport")
]
FOREIGN = [
    "root@node1:~# opreport -l",
    "    12.50%  iperf3  [kernel.kallsyms]  [k] ipt_do_table",
    "12 main",
    "one two three",
    "\t12 3.0 libc.so.6",
    "12       0.5000  ",
    "  17       1.3250  kallsyms                 ipt_do_table",
    "  12       0.5000",
    "00001000 12       0.5000",
    "--More--",
]
_COUNTS = re.compile(
    r"(?:[0-9a-f]{8}(?:[0-9a-f]{8})? +)?((?:\d+ +(?:\d+ +)?[-.\de]+ +(?:[.\de-]+ +)?)+)"
)


def changed(lines: list[str], data: st.DataObject) -> list[str]:
    """The lines, some of them cut, doubled, left out, or with foreign ones between them."""
    lines = list(lines)
    heading = next(i for i, line in enumerate(lines) if line.endswith(("symbol name", "|"))) + 3
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(heading, len(lines) - 1))
        kind = data.draw(st.sampled_from(["cut", "double", "drop", "foreign", "foreign"]))
        if kind == "cut":
            lines[place] = lines[place][: data.draw(st.integers(0, len(lines[place])))]
        elif kind == "foreign":
            lines.insert(place, data.draw(st.sampled_from(FOREIGN)))
        else:
            lines[place : place + 1] = [lines[place]] * (2 if kind == "double" else 0)
    return lines


def text_batch(lines: list[str]) -> Batch:
    source = Source("r.txt", io.BytesIO("\n".join(lines).encode() + b"\n"))
    (batch,) = text_importer.open(source).batches(ImportOptions(lenient=True))
    return batch


def samples_of(line: str, classes: int, numbers: int) -> int | None:
    """What the row of a function says, a number a class; None where it is not one."""
    match = _COUNTS.match(line)
    if match is None or line.startswith(" "):
        return None
    cells = match[1].split()
    return sum(int(cell) for cell in cells[: classes * numbers : numbers])


@pytest.mark.slow
@QUIET
@given(st.data())
def test_every_sample_of_a_listing_is_stored_or_its_line_is_skipped(data: st.DataObject) -> None:
    lines = changed(TEXTS[data.draw(st.integers(0, len(TEXTS) - 1))], data)
    (heading,) = (line for line in lines if line.endswith("symbol name"))
    numbers = 4 if "cum." in heading else 2
    classes = heading.count("samples") // (2 if "cum." in heading else 1)
    try:
        batch = text_batch(lines)
    except PerfduckError:  # a function with half of the samples listed twice
        return
    skipped = set(batch.skipped["line"])
    start = lines.index(heading) + 1
    said = {
        number: samples_of(line, classes, numbers)
        for number, line in enumerate(lines[start:], start + 1)
    }
    kept = sum(count or 0 for number, count in said.items() if number not in skipped)
    assert batch.samples["count"].sum() == kept
    below_a_function = re.compile(r"  (?:[0-9a-f]{8,16} )? *\d+ |-{79}$|\s*$")
    for number, count in said.items():
        if count is None and not below_a_function.match(lines[number - 1]):
            assert number in skipped


@QUIET
@given(st.data(), st.sampled_from([0, 4, 8]))
def test_every_sample_of_a_summary_is_stored_or_its_line_is_skipped(
    data: st.DataObject, tab: int
) -> None:
    lines = changed(SUMMARIES[data.draw(st.integers(0, 1))], data)
    with suppress(PerfduckError):  # applications that are listed twice
        batch = text_batch([line.replace("\t", " " * tab or "\t") for line in lines])
        wanted = summary_samples(lines, set(batch.skipped["line"]))
        assert batch.samples["count"].sum() == wanted


def summary_samples(lines: list[str], skipped: set[int]) -> int:
    """An application's count; that of its images where it is more."""
    row = re.compile(r"( *\d+ +(\d+\.\d+|0) )+[^ ]")
    classes = sum(line.startswith("Counted") for line in lines)
    applications: list[list[list[int]]] = []
    for number, line in enumerate(lines, 1):
        if number not in skipped and row.match(line.removeprefix("\t")):
            counts = [int(cell) for cell in line.split()[: 2 * classes : 2]]
            if line.startswith("\t"):
                applications[-1].append(counts)
            else:
                applications.append([counts])
    return sum(
        max(total, sum(counts[column] for counts in images))
        for application, *images in applications
        for column, total in enumerate(application)
    )


@QUIET
@given(st.integers(0, 1), st.sampled_from([2, 4, 8]))
def test_blanks_for_tabs_make_no_difference(which: int, tab: int) -> None:
    lines = SUMMARIES[which]
    expanded = text_batch([line.replace("\t", " " * tab) for line in lines])
    assert expanded.samples.equals(text_batch(lines).samples)
    assert len(expanded.skipped) == 0


XML = [
    content_of(name)
    for name in ("app-flat/reports/X.out.gz", "app-callgraph/reports/X-c.out.gz",
                 "pod-thread-cpu/reports/X.out.gz")
]  # fmt: skip


def own(element: etree.Element) -> int:
    return sum(int(count.text or 0) for count in element.findall("count"))


def said(element: etree.Element) -> int:
    """The samples of an element: its own count, else those of what it holds."""
    inside = sum(said(part) for part in element if part.tag in ("module", "symbol", "thread"))
    if element.tag == "binary":  # its count is of its symbols alone
        modules = sum(said(part) for part in element.findall("module"))
        return (own(element) or inside - modules) + modules
    return own(element) or inside


def changed_xml(text: str, data: st.DataObject) -> bytes:
    root = etree.fromstring(text)
    parents = {part: parent for parent in root.iter() for part in parent}
    for _ in range(data.draw(st.integers(0, 4))):
        counts = [
            count
            for count in root.iter("count")
            if parents[count].tag in ("symbol", "module", "binary", "thread", "process")
        ]
        count = data.draw(st.sampled_from(counts))
        kind = data.draw(st.sampled_from(["less", "more", "drop", "drop symbol"]))
        if kind in ("less", "more"):
            count.text = str(max(int(count.text or 0) + (1 if kind == "more" else -1), 0))
            continue
        victim = parents[count] if kind == "drop symbol" else count
        if victim in list(parents[victim]):
            parents[victim].remove(victim)
    return etree.tostring(root)


@pytest.mark.slow
@QUIET
@given(st.data())
def test_every_sample_of_an_xml_report_is_stored_or_the_report_refused(
    data: st.DataObject,
) -> None:
    content = changed_xml(XML[data.draw(st.integers(0, len(XML) - 1))], data)
    with suppress(PerfduckError):
        batch = batch_of(xml_importer, "r.xml", content)
        root = etree.fromstring(content)
        wanted = sum(said(part) for part in root if part.tag in ("binary", "process"))
        assert batch.samples["count"].sum() == wanted


def session_files(name: str) -> list[tuple[str, bytes]]:
    with tarfile.open(RECORDINGS / name / "session.tar.gz") as tar:
        members = [member for member in tar if member.isreg()]
        return [(member.name, tar.extractfile(member).read()) for member in members]  # type: ignore[union-attr]


SESSIONS = [session_files(name) for name in ("app-flat", "app-callgraph", "app-jit")]


def nodes_of(content: bytes) -> int:
    """The samples of a sample file of x86_64."""
    used = struct.unpack_from("<I", content, 76)[0]
    return sum(struct.unpack_from("<I", content, 104 + 16 * n + 8)[0] for n in range(1, used))


def changed_files(files: list[tuple[str, bytes]], data: st.DataObject) -> list[tuple[str, bytes]]:
    files = list(files)
    samples = [i for i, (_, content) in enumerate(files) if content[:4] == b"DAE\n"]
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.sampled_from(samples))
        path, content = files[place]
        kind = data.draw(st.sampled_from(["cut", "value", "mhz", "path", "pid", "stray", "count"]))
        if kind == "cut":
            content = content[: data.draw(st.integers(4, len(content)))]
        elif kind == "value" and len(content) > 140:
            value = data.draw(st.sampled_from([0, 1, 2**31, 2**32 - 1]))
            content = content[:128] + struct.pack("<I", value) + content[132:]
        elif kind == "mhz" and len(content) > 40:
            mhz = data.draw(st.floats(width=64))
            content = content[:32] + struct.pack("<d", mhz) + content[40:]
        elif kind == "path":
            path += data.draw(st.sampled_from([".old", "~", "x"]))
        elif kind == "pid":
            path = path.replace(".all.all.all", f".{data.draw(st.integers(0, 10**25))}.all.all")
        elif kind == "count":
            path = path.replace(".1000000.", f".{data.draw(st.integers(0, 10**25))}.")
        else:
            files.append((path.rpartition("/")[0] + "/notes.txt", b"x"))
        files[place] = (path, content)
    return files


@pytest.mark.slow
@QUIET
@example(None)
@given(st.data())
def test_every_sample_of_a_session_is_stored_or_its_file_named(data: st.DataObject | None) -> None:
    files = changed_files(SESSIONS[data.draw(st.integers(0, 2))], data) if data else SESSIONS[0]
    source = Source("x.tar", io.BytesIO(archive(files)))
    with suppress(PerfduckError):
        (batch,) = session_importer.open(source).batches(
            ImportOptions(kallsyms=KALLSYMS, lenient=True)
        )
        named = set(batch.skipped["text"])
        wanted = sum(
            nodes_of(content)
            for path, content in files
            if content[:4] == b"DAE\n" and "{cg}" not in path and below(path) not in named
        )
        assert batch.samples["count"].sum() == wanted


def below(path: str) -> str:
    """The path as messages name it: below the session."""
    return re.sub(r".*/samples/current/", "", path)[:1000]


def test_a_sum_that_the_store_cannot_hold_is_one_line() -> None:
    row = f"{10**18 - 1} 100.000  demo                     main"
    with pytest.raises(PerfduckError, match=r"^r\.txt: expected counts and periods .* 62 bits"):
        text_batch([*TEXTS[0][:3], row])


@pytest.mark.parametrize("pid", [2**31, 10**25])
def test_a_sample_file_of_no_process_is_refused(pid: int) -> None:
    path, content = next(file for file in SESSIONS[0] if file[1][:4] == b"DAE\n")
    files = [(path.replace(".all.all.all", f".{pid}.all.all"), content)]
    with pytest.raises(PerfduckError, match=r"expected a sample file called EVENT\.COUNT\.MASK"):
        list(
            session_importer.open(Source("x.tar", io.BytesIO(archive(files)))).batches(
                ImportOptions()
            )
        )


@pytest.mark.parametrize("mhz", [1e-300, float("inf"), float("nan"), -1.0])
def test_a_clock_of_no_cpu_is_not_known(mhz: float) -> None:
    path, content = next(file for file in SESSIONS[0] if file[1][:4] == b"DAE\n")
    files = [(path, content[:32] + struct.pack("<d", mhz) + content[40:])]
    (batch,) = session_importer.open(Source("x.tar", io.BytesIO(archive(files)))).batches(
        ImportOptions()
    )
    assert batch.facts.events["CPU_CLK_UNHALTED"].unit == "cycles"
    said = batch.facts.limitations["odd-clock"]
    assert (said.samples, "clock" in said.text) == (batch.samples["count"].sum(), True)


@pytest.mark.parametrize(
    "mhz", ["inf", "nan", "-5", "0", "1e308", "1e400", "1e-300", "1.5.2", "1_000", "9" * 60]
)
def test_a_line_with_a_clock_of_no_cpu_is_skipped(mhz: str) -> None:
    lines = [line.replace("speed 2300 MHz", f"speed {mhz} MHz") for line in TEXTS[0]]
    assert lines != TEXTS[0]
    batch = text_batch(lines)
    assert batch.facts.events["CPU_CLK_UNHALTED"].unit == "cycles"
    assert [text for text in batch.skipped["text"] if f"speed {mhz} MHz" in text]
