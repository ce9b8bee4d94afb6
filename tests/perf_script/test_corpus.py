"""Every real recording against what perf itself reports of it."""

import re
from collections import Counter
from pathlib import Path, PurePath

import perf_oracle
import pytest
from recordings import FIXTURES, named_chains, parsed, text_of
from rows import mostly_slow

CASES = sorted(folder.parent for folder in (FIXTURES / "perf_script").glob("*/oracle.txt"))
# Recordings of which text and report cannot be compared, and why.
NOT_COMPARED = {
    "header-only": "no samples",
    "event-group": "perf report adds the members of a group up",
}
# What the text does not hold, so that it cannot be compared with the report.
NO_NAMES = {
    "fields-comm-only",
    "fields-event-only",
    "fields-no-ip",
    "fields-without-ip",
    "fields-ip",
    "records-task",
    "probe-flat",
    "tracepoint-sched-flat",
    "tracepoint-syscalls",
    "tracepoint-trace-only",
    "v612-tracepoint",
    "v7-syscalls",
}


def printable(name: str) -> str:
    """perf report prints a dot for what is not printable."""
    return re.sub(r"[\t\x00-\x1f]", ".", name)


def short(dso: str) -> str:
    """perf report prints the last part of a path, and its own word for JIT code."""
    if re.search(r"/perf-\d+\.map$", dso):
        return "[JIT]"
    return dso if dso.startswith("[") else PurePath(dso).name


COMPARED = [folder for folder in CASES if folder.name not in NOT_COMPARED]


@pytest.mark.slow
@pytest.mark.parametrize("folder", mostly_slow(COMPARED, 10), ids=lambda folder: folder.name)
def test_samples_periods_and_self_counts_are_those_of_perf_report(folder: Path) -> None:
    text = text_of(folder)
    report = perf_oracle.read(folder / "oracle.txt")
    batch = parsed(text, lenient=True)
    samples = named_chains(batch)
    assert len(samples) == sum(report.samples.values())
    if not samples["period"].has_nulls():
        assert samples["period"].sum() == sum(report.periods.values())
    if folder.name not in NO_NAMES:
        compare_leaves(samples.select("leaf", "dso").rows(), report.symbols, text)


def compare_leaves(
    leaves: list[tuple[str, str]], expected: Counter[tuple[str, str]], text: bytes
) -> None:
    got = Counter((printable(name), short(dso)) for name, dso in leaves)
    want: Counter[tuple[str, str]] = Counter()
    for (name, dso), count in expected.items():
        want[name, "[JIT]" if dso.startswith(("[JIT]", "perf-")) else dso] += count
    if b"(inlined)" in text:  # the report charges the function that it was inlined into
        return
    if all(dso == "[unknown]" or dso == "[kernel.kallsyms]" for _, dso in leaves):  # none printed
        assert by_name(got) == by_name(want)
    else:
        # A chain that perf could not read: the report knows the instruction, the text does not.
        empty = len(re.findall(rb"clock:\s*\n\n", text))
        assert got - want == Counter({("[unknown]", "[unknown]"): empty} if empty else {})
        assert (want - got).total() == empty


def by_name(counts: Counter[tuple[str, str]]) -> Counter[str]:
    names: Counter[str] = Counter()
    for (name, _), count in counts.items():
        names[name] += count
    return names


WITH_SAMPLES = [folder for folder in CASES if folder.name != "header-only"]


@pytest.mark.slow
@pytest.mark.parametrize("folder", mostly_slow(WITH_SAMPLES, 10), ids=lambda folder: folder.name)
def test_every_line_of_a_real_recording_is_understood(folder: Path) -> None:
    skipped = parsed(text_of(folder), lenient=True).skipped
    # A comm with a line end in it starts on a line that nothing tells from garbage.
    assert set(skipped["text"]) <= ({"two"} if folder.name == "comms-newline" else set())
