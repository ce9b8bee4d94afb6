"""Uploads that would eat memory or time, or crash their reader, cost that upload only."""

import gzip
import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from servers import HTTP, Server, running

from perfduck_server.spool import PushedJob, Spool
from perfduck_server.worker_process import (
    WorkerLimits,
    WorkerProcess,
    WorkerWasStopped,
    memory_of,
)

pytestmark = pytest.mark.slow  # servers of their own, and processes that ask them

FIXTURES = Path(__file__).parents[2] / "fixtures"
TEXT = FIXTURES / "demo" / "native.udp64.1.txt.xz"
MB = 1 << 20
MEMORY_MB = 420  # of a job; an idle worker has some 200


@pytest.fixture(scope="module")
def bounded(tmp_path_factory) -> Iterator[Server]:
    """A server that allows a job little."""
    store = tmp_path_factory.mktemp("bounded") / "s.duckdb"
    options = ("--job-memory", str(MEMORY_MB), "--job-timeout", "20", "--max-upload", "3")
    with running(store, *options) as started:
        yield started


def push(server: Server, body: bytes, query: str = "") -> urllib3.BaseHTTPResponse:
    url = f"{server.url}/api/v1/recordings?wait=60{query}"
    return urllib3.request("POST", url, body=body, timeout=90, retries=False)


def of_many_names() -> Iterator[bytes]:
    """Samples of functions that all differ: what is distinct has to be in memory."""
    for number in itertools.count():
        name = f"f{number:09d}"
        yield (
            f"x 1 [000] 1.5: 1001001 cpu-clock: \n\t{number:x} {name * 20}+0x1 (/bin/{name})\n\n"
        ).encode()


def packed(pieces: Iterator[bytes], size: int) -> bytes:
    """About so many bytes of them, as gzip."""
    block = b"".join(itertools.islice(pieces, 20_000))
    return gzip.compress(block, 6) * max(1, size // len(block))


BOMBS = {
    "zeros": lambda: gzip.compress(bytes(1 << 30), 6),
    "one line": lambda: gzip.compress(b"x" * (1 << 30), 6),
    "equal samples": lambda: packed(itertools.repeat(next(of_many_names())), 1 << 27),
}


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_in_bounded_time_and_memory(bounded: Server, bomb: str) -> None:
    before = memory_of(bounded.process.pid)
    answer = push(bounded, BOMBS[bomb]())
    assert answer.status in (201, 422), answer.data
    assert memory_of(bounded.process.pid) < before + (2 * MEMORY_MB << 20)
    assert push(bounded, TEXT.read_bytes()).status in (200, 201)


def test_a_recording_that_needs_too_much_memory_is_refused(bounded: Server) -> None:
    names = gzip.compress(b"".join(itertools.islice(of_many_names(), 300_000)), 1)[: 3 * MB]
    answer = push(bounded, names)
    assert answer.status == 422
    assert push(bounded, TEXT.read_bytes()).status in (200, 201)


def test_a_body_that_is_too_large_is_refused_before_it_is_received(bounded: Server) -> None:
    answer = push(bounded, bytes(3 * MB + 1))
    assert answer.status == 413
    assert "expected at most 3,145,728 bytes (--max-upload)" in answer.json()["error"]
    chunks = (bytes(MB) for _ in range(5))
    url = f"{bounded.url}/api/v1/recordings"
    try:
        answer = urllib3.request("POST", url, body=chunks, timeout=60, retries=False)
        assert answer.status == 413
    except urllib3.exceptions.HTTPError:  # the server has answered and closed; we still sent
        pass
    spool = bounded.store.with_name("s.duckdb.server") / "spool"
    assert list(spool.iterdir()) == []


def test_the_fuzz_corpus(bounded: Server) -> None:
    corpus = sorted((FIXTURES / "fuzz").glob("*.input"))
    assert len(corpus) > 10
    for path in corpus:
        answer = push(bounded, path.read_bytes(), "&name=fuzz")
        assert answer.status in (200, 201, 422), (path, answer.data)
        if answer.status == 422:
            assert "\n" not in answer.json()["error"]
    assert HTTP.request("GET", f"{bounded.url}/healthz").status == 200


def test_a_worker_that_is_killed_costs_its_upload_only(bounded: Server) -> None:
    def kill() -> None:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            for child in Path(f"/proc/{bounded.process.pid}/task").glob("*/children"):
                for pid in child.read_text().split():
                    os.kill(int(pid), signal.SIGKILL)
                    return
            time.sleep(0.01)

    killer = threading.Thread(target=kill)
    killer.start()
    answer = push(bounded, gzip.compress(bytes(1 << 28), 6))
    killer.join()
    assert answer.status == 422
    after = push(bounded, TEXT.read_bytes())
    assert after.status in (200, 201), after.data


def accepted(folder: Path) -> Path:
    """The folder of a push of a whole recording."""
    spool = Spool(folder)
    body = spool.new()
    shutil.copy(TEXT, body / "run.txt.xz")
    spool.accept(body, PushedJob(id=body.stem, file="run.txt.xz"))
    return spool.folder(body.stem)


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (WorkerLimits(0.05, 1024, MB), "expected a recording that is read within 0.05 s, got one"),
        (
            WorkerLimits(60, 120, MB),
            "expected a recording that is read in 120 MB of memory, got one",
        ),
    ],
)
def test_a_worker_ends_at_its_limits(tmp_path: Path, limits: WorkerLimits, says: str) -> None:
    worker = WorkerProcess(limits)
    try:
        answer = worker.do(accepted(tmp_path), threading.Event())
    finally:
        worker.close()
    assert answer.error
    assert answer.error.startswith(says)


def test_a_worker_stops_with_its_server(tmp_path: Path) -> None:
    worker, stopping = WorkerProcess(WorkerLimits(60, 1024, MB)), threading.Event()
    stopping.set()
    with pytest.raises(WorkerWasStopped):
        worker.do(accepted(tmp_path), stopping)
    worker.close()


def test_a_worker_whose_server_was_killed_says_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "perfduck_server.worker", "1024", str(MB)]
    job = b'{"folder": "/nowhere"}\n'
    done = subprocess.run(command, input=job, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("kills", "error"),
    [
        (1, None),
        (2, "expected a recording that is read in 1024 MB of memory, got one that needs more"),
    ],
)
def test_a_worker_that_is_killed_is_given_its_job_once_more(
    tmp_path: Path, kills: int, error: str | None
) -> None:
    worker, folder = WorkerProcess(WorkerLimits(60, 1024, MB)), accepted(tmp_path)
    others = _children()  # servers of other tests

    def kill() -> None:
        nonlocal others
        for _ in range(kills):
            while not (workers := _children() - others):
                time.sleep(0.01)
            others |= workers
            os.kill(workers.pop(), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        assert worker.do(folder, threading.Event()).error == error
    finally:
        worker.close()
        killer.join()


def _children() -> set[int]:
    """Processes that this one has started and not yet waited for."""
    paths = Path("/proc/self/task").glob("*/children")
    return {int(pid) for path in paths for pid in path.read_text().split()}


_STARTS_PROCESSES = f"""
import subprocess
taken = bytearray({200 * MB})
taken[::4096] = bytes([1]) * ({200 * MB} // 4096)
print(flush=True)
while True:
    subprocess.run(["true"])
"""


def test_memory_that_a_child_has_not_left_yet_counts_once() -> None:
    words = [sys.executable, "-c", _STARTS_PROCESSES]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        parent.stdout.readline()
        looks = sorted(memory_of(parent.pid) for _ in range(300))
        parent.kill()
    assert 200 * MB < looks[0] <= looks[-30] < 300 * MB
    assert memory_of(parent.pid) == 0
