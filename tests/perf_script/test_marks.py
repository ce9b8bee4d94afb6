"""Threads and files whose names look like what perf prints beside samples."""

import re
from collections import Counter

import pytest
from recordings import FIXTURES, named_chains, parsed, text_of

MARKS = {"PERF_RECORD_AUX", "PERF_RECORD_X", "1 PERF_RECORD_Y", "[0] PERF_RECORD", "BPF output:",
         "a: metric: b", "# time", "a.c:12", "=> 7f0123456789", "|12 int x;", "IPC: 1", "N/A",
         "ABI:2 AX:0x1", "0x1/0x2/P/-/-/1", "metric:", "12/12"}  # fmt: skip
PROGRAMS = ("app+0x10", "app+0x10 (copy)", "a (b (c)) d", "open ( x", "closed ) x", "(x)", "()")
FILES = {f"/opt/demo/{name}" for name in PROGRAMS}


def expected(text: str) -> Counter[str]:
    """How often each comm has a sample: the numbers behind it are those of this recording."""
    return Counter(re.findall(r"(?m)^ *(\S.*?) +\d{5} \[00[01]\] \d{5}\.\d{6}: ", text))


@pytest.mark.parametrize("name", ["marks", "marks-flat"])
def test_a_thread_with_the_name_of_a_mark_is_a_thread(name: str) -> None:
    text = text_of(FIXTURES / "perf_script" / name)
    samples = parsed(text).samples
    assert Counter(samples["comm"]) == expected(text.decode())
    assert set(samples["comm"]) >= MARKS


@pytest.mark.parametrize("comm", ["PERF_RECORD_AUX", "BPF output:", "# time"])
def test_one_such_thread_alone(comm: str) -> None:
    text = text_of(FIXTURES / "perf_script" / "marks").decode()
    alone = "".join(
        part for part in re.split(r"(?<=\n\n)", text) if part.lstrip(" ").startswith(comm)
    )
    batch = parsed(alone.encode())
    assert set(batch.samples["comm"]) == {comm}
    assert len(batch.samples) == alone.count("\n\n")
    whole = named_chains(parsed(text.encode())).filter(comm=comm)
    assert named_chains(batch)["chain"].to_list() == whole["chain"].to_list()


@pytest.mark.parametrize("name", ["marks", "marks-flat"])
def test_a_file_may_have_any_name(name: str) -> None:
    batch = parsed(text_of(FIXTURES / "perf_script" / name))
    dsos = set(batch.symbols["dso"])
    assert {dso for dso in dsos if dso.startswith("/opt/")} == FILES & dsos
    assert len(FILES & dsos) > 5
    assert all(dso.startswith(("/", "[")) for dso in dsos)


def test_an_offset_in_its_dso_is_no_part_of_a_file_s_name() -> None:
    symbols = parsed(text_of(FIXTURES / "perf_script" / "v7-dsoff")).symbols
    assert "/opt/demo/demo" in set(symbols["dso"])
    assert not symbols["dso"].str.contains(r"\+0x").any()


def test_records_are_no_samples() -> None:
    text = text_of(FIXTURES / "perf_script" / "marks").decode()
    first = text.index("\n\n") + 2
    records = [
        "python3 14202 [000] 12820.125: PERF_RECORD_COMM: PERF_RECORD_AUX:14202/14203",
        "PERF_RECORD_AUX 14202 [000] 12820.125000: PERF_RECORD_COMM: x 1 [000] 1.000000: a:1/2",
        "PERF_RECORD_X 1 [000] 2.125000: PERF_RECORD_MMAP2 1/1: [0x1(0x2) @ 0 fe:00 1 2]: r-xp /x",
        "python3 14202 [000] 12820.125000: PERF_RECORD_FORK(14203:14203):(14202:14202)",
    ]
    whole = parsed(text.encode())
    mixed = parsed((text[:first] + "".join(f"{r}\n" for r in records) + text[first:]).encode())
    assert mixed.samples.equals(whole.samples)
    assert mixed.skipped.is_empty()
