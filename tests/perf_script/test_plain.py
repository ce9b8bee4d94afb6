"""What the narrow expressions match is what the general ones make of it."""

import lzma
import re
from pathlib import Path

import pytest
from recordings import FIXTURES, text_of
from rows import mostly_slow

from perfduck_ingest.perf_script import grammar
from perfduck_ingest.perf_script.layout import LineLayout, layout_of

# Of event lines that the narrow expression is not for: without comm, tid, time, period or event.
OTHERS = {
    "comms-ip-sym", "fields-comm-only", "fields-comm-tid-ip-sym", "fields-comm-tid-ip-sym-flat",
    "fields-event-only", "fields-ip", "fields-ip-sym", "fields-ip-sym-dso", "fields-ip-sym-flat",
    "fields-sym-only", "fields-without-comm", "fields-without-event", "fields-without-tid",
    "fields-without-time", "header-only", "symbols-odd-no-dso", "tracepoint-no-event",
    "tracepoint-trace-only", "v7-anon", "v7-merge",
}  # fmt: skip
FOLDERS = [
    folder
    for folder in sorted((FIXTURES / "perf_script").iterdir())
    if (folder / "oracle.txt").exists() and folder.name not in OTHERS
]
LINES = [
    "swapper     0 [000]    12.345678:     250000 cycles:k: ",
    "  a:b 1/2 c  9284/9286 [000]   870.257121:    1001001 cpu-clock:u:",
    "V8 WorkerThread  9284/9286 870.257121987: sched:sched_switch:",
    "12345  77 [001]  1.000001: 1 cpu-clock:",
    "kworker/0:1-ev  77 -1 [001]  1.000001: 1 cpu-clock:",
    "x  77 [001]  1.000001: 1 1 cpu-clock:",
    "x  77 [001]  1.000001: :",
    "x  77 [001]  1.0000012: 1 cpu-clock:",
]


def general(layout: LineLayout, line: str) -> tuple[str | None, ...] | None:
    found = re.search(layout.pattern, line) or re.search(layout.loose.pattern, line)
    if found is None or (found["rest"] or "").strip():
        return None
    comm = (found["comm"] or "").strip()
    return (comm, *found.group("pid", "tid", "cpu", "s", "fraction", "period"),
            found["event"])  # fmt: skip


def plain(line: str) -> tuple[str | None, ...] | None:
    found = re.search(grammar.PLAIN_EVENT, line)
    if found is None or not found["event"].endswith(":"):
        return None
    pid = found["first"] if found["second"] else None
    return (found["comm"].strip(), pid, found["second"] or found["first"],
            *found.group("cpu", "s", "fraction", "period"), found["event"][:-1])  # fmt: skip


@pytest.mark.parametrize("folder", mostly_slow(FOLDERS, 10), ids=lambda folder: folder.name)
def test_a_plain_event_line_has_the_fields_of_the_general_expression(folder: Path) -> None:
    lines = text_of(folder).decode("utf-8", "backslashreplace").splitlines()
    layout = layout_of(lines[:3000])
    assert layout is not None
    assert layout.is_plain
    for line in [*lines, *LINES]:
        assert plain(line) in (None, general(layout, line))


def test_nearly_all_event_lines_are_plain() -> None:
    text = lzma.decompress((FIXTURES / "demo" / "native.crr.1.txt.xz").read_bytes()).decode()
    lines = [line for line in text.splitlines() if line and not line.startswith(("\t", "#"))]
    assert sum(1 for line in lines if plain(line)) > 0.99 * len(lines) > 1000
