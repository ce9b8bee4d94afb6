"""Threads, processes and mappings without end: what is held of them is bounded, and what samples
need is not lost by that."""

import io
import lzma
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from recordings import FIXTURES
from rows import mostly_slow
from set_limits import SetLimits

from perfduck_ingest.formats import opened
from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.perf_data.process_state import ProcessMaps, ProcessState
from perfduck_ingest.perf_data.task_events import Comm, Exit, Fork, Mapping
from perfduck_ingest.source import Source
from perfduck_model.errors import PerfduckError

RECORDINGS = sorted((FIXTURES / "perf_data").glob("*/recording.data.xz"))
ATTRIBUTE = struct.pack("<IIQQQQQ", 1, 136, 0, 1000000, 7, 0, 0).ljust(136, b"\0")
PIPE = b"PERFILE2" + struct.pack("<QIHH", 16, 64, 0, 152) + ATTRIBUTE + struct.pack("<Q", 1)
KERNEL, USER = 1, 2
COMM, MMAP, KSYMBOL, CGROUP, BUILD_ID, EVENT_UPDATE = 3, 1, 17, 19, 67, 78


def record(kind: int, *fields: int, misc: int = USER, name: int = 0) -> bytes:
    """With a name of 8 bytes at its end, another one for each number."""
    body = struct.pack(f"<{len(fields)}Q", *fields) + b"%07d\0" % name
    return struct.pack("<IHH", kind, misc, 8 + len(body)) + body


def samples_of(content: bytes) -> pl.DataFrame:
    with Source("x", io.BytesIO(content)) as source:
        batches = list(opened(source).batches(ImportOptions()))
    samples = pl.concat([batch.samples for batch in batches])
    return samples.sort(samples.columns)  # several events have each its own order


@pytest.mark.parametrize("path", mostly_slow(RECORDINGS, 6), ids=lambda path: path.parent.name)
def test_samples_are_the_same_where_few_task_events_may_wait(
    path: Path, set_limits: SetLimits
) -> None:
    """What perf says of the processes that it found has time 0."""
    content = lzma.decompress(path.read_bytes())
    expected = samples_of(content)
    set_limits(most_task_events=5)
    assert samples_of(content).equals(expected)


@pytest.mark.parametrize("path", mostly_slow(RECORDINGS, 6), ids=lambda path: path.parent.name)
def test_samples_are_the_same_in_many_steps(path: Path, set_limits: SetLimits) -> None:
    content = lzma.decompress(path.read_bytes())
    expected = samples_of(content)
    set_limits(most_maps_at_once=20)
    assert samples_of(content).equals(expected)


@pytest.mark.slow
def test_each_sample_sees_the_maps_of_its_time(set_limits: SetLimits) -> None:
    """A file is mapped, sampled, and another mapped beside it or over it, without end."""
    content = PIPE.replace(struct.pack("<QQ", 7, 0), struct.pack("<QQ", 3, 0))
    for n in range(500):
        start = 4096 * (n * 7 % 300)
        content += record(MMAP, 1 | 1 << 32, start, 1 << 12, 0, name=n)
        content += struct.pack("<IHHQII", 9, USER, 24, start + 16, 1, 1)
    chains = []
    for most, rows in ((1 << 20, 512), (50, 512), (1 << 20, 8), (50, 8)):
        set_limits(most_maps_at_once=most, block_rows=rows)  # what a version needs is looked up
        with Source("x", io.BytesIO(content)) as source:
            batches = list(opened(source).batches(ImportOptions()))
        symbols = pl.concat([batch.symbols for batch in batches])
        chains.append(symbols["dso"].unique().sort().to_list())
    assert all(one == [f"{n:07}" for n in range(500)] for one in chains)


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (lambda n: record(COMM, n, name=n), "threads"),
        (lambda n: record(MMAP, 1, n << 12, 1 << 12, 0, name=n), "mapped files"),
        (lambda n: record(MMAP, 1, n << 12, 1 << 12, 0, misc=KERNEL, name=n), "kernel symbols"),
        (lambda n: record(KSYMBOL, n << 12, 16, name=n), "kernel symbols"),
        (lambda n: record(CGROUP, n, name=n), "control groups"),
        (lambda n: record(EVENT_UPDATE, 2, n, name=n), "events and files"),
        (lambda n: record(BUILD_ID, 1, 2, 3, 0x61616161 << 32, name=n), "events and files"),
    ],
)  # fmt: skip
def test_names_are_bounded(made: Callable[[int], bytes], what: str, set_limits: SetLimits) -> None:
    set_limits(most_names=1000, most_task_events=100)
    content = PIPE + b"".join(made(n) for n in range(2000))
    with pytest.raises(PerfduckError, match=rf"more than 1,000 names of {what}.*, or 128 MB"):
        samples_of(content)


def test_names_that_no_thread_has_any_more_are_forgotten(set_limits: SetLimits) -> None:
    set_limits(most_names=1000)
    state = ProcessState()
    none = np.zeros(0, np.int64)
    state.advance([(0, 0, Comm(7, 7, "kept")), (0, 1, Comm(8, 8, "old"))], none, none, none)
    for first in range(0, 5000, 400):
        events = [(first, n, Comm(9, 9, f"c{n}")) for n in range(first, first + 400)]
        state.advance([*events], none, none, none)
    threads = np.array([7, 9, 0, 5])
    comm, _ = state.advance([(9000, 0, Comm(8, 8, "new"))], threads, threads, threads * 0 + 9000)
    assert [state.comms[one] for one in comm] == ["kept", "c5199", "swapper", ":5"]
    assert state.comms == ["swapper", "kept", "c5199", ":5"]


def a_map(pid: int, start: int) -> Mapping:
    return Mapping(pid, start, start + 100, 0, "/x", mode=USER, build_id=None)


def test_processes_that_ended_are_forgotten_first(set_limits: SetLimits) -> None:
    set_limits(most_processes=100)
    state = ProcessState()
    none = np.zeros(0, np.int64)
    state.advance([(0, 0, a_map(1, 1000)), (0, 1, Exit(1)), (0, 2, a_map(2, 1000))], *3 * [none])
    state.advance([(0, 0, Fork(3, 3, 2, 2, inherits_maps=True))], none, none, none)
    for pid in range(1000, 2000):
        state.advance([(1, 0, a_map(pid, 1000)), (1, 1, Exit(pid))], none, none, none)
    pids = np.array([1, 2, 3, 1999])
    _, versions = state.advance([], pids, pids, pids)
    found = [len(state.tables[version]) for version in versions.tolist()]
    assert found == [0, 1, 1, 1]


def test_a_number_that_is_given_again_is_a_process(set_limits: SetLimits) -> None:
    set_limits(most_processes=4)
    maps = ProcessMaps()
    maps.to_change(1).insert(0, 10, 0, 0)
    maps.end(1)
    maps.inherit(1, 1)
    for pid in range(2, 9):
        maps.to_change(pid).insert(0, 10, 0, 0)
        maps.end(pid)
    assert len(maps.of(1)) == 1


@pytest.mark.parametrize(
    ("name", "most", "made", "expected"),
    [
        ("most_processes", 100, lambda n: a_map(n, 1000), "more than 50 processes, or"),
        ("most_maps", 100, lambda n: a_map(n, 1000), "or 50 mappings, at a time"),
        ("most_maps", 100, lambda n: a_map(1, 200 * n), "or 50 mappings, at a time"),
        ("most_maps_of_process", 100, lambda n: a_map(1, 200 * n), "100 mappings of a process"),
    ],
)  # fmt: skip
def test_mappings_are_bounded(
    name: str,
    most: int,
    made: Callable[[int], Mapping],
    expected: str,
    set_limits: SetLimits,
) -> None:
    set_limits(**{name: most})
    none = np.zeros(0, np.int64)
    events = [(0, n, made(n)) for n in range(1000)]
    with pytest.raises(struct.error, match=expected):
        ProcessState().advance(events, none, none, none)


def a_deferred_sample(cookie: int) -> bytes:
    chain = (2, (1 << 64) - 640, cookie)
    return struct.pack("<IHHQIIQQQ", 9, USER, 48, 4096, 1, 1, *chain)


def some_callers(cookie: int) -> bytes:
    return struct.pack("<IHHQQQ", 22, USER, 32, cookie, 1, 8192)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "most", "has_missing"),
    [
        ("most_waiting_samples", 9000, False),
        ("most_waiting_samples", 500, True),
        ("most_maps_at_once", 10_000, True),
        ("most_callers", 4000, False),
        ("most_callers", 100, True),
        ("most_caller_entries", 100, True),
    ],
)
def test_deferred_callers_are_bounded(
    name: str, most: int, has_missing: bool, set_limits: SetLimits
) -> None:
    """The oldest samples, or callers, give way; all samples are kept, and those counted that miss
    their callers."""
    set_limits(**{name: most}, most_blocks_waiting=0, head_bytes=1 << 12, block_bytes=1 << 14)
    fields = struct.pack("<QQQ", 1 | 2 | 32, 0, 1 << 38)
    content = PIPE.replace(struct.pack("<QQQ", 7, 0, 0), fields)
    a_map = record(MMAP, 1 | 1 << 32, 1 << 20, 1 << 12, 0, name=1)
    samples = b"".join(a_map + a_deferred_sample(cookie) for cookie in range(1, 3001))
    answers = b"".join(map(some_callers, range(1, 3001)))
    content += samples + answers
    with Source("x", io.BytesIO(content)) as recording:
        batches = list(opened(recording).batches(ImportOptions()))
    missing = batches[-1].facts.limitations.get("deferred-callers")
    assert sum(batch.samples["count"].sum() for batch in batches) == 3000
    assert (missing is not None and 0 < missing.samples < 3000) == has_missing
