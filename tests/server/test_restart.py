"""kill -9 in the middle of pushes: what was acknowledged is there after the next start."""

import lzma
import resource
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event

import msgspec
import pytest
import urllib3
from servers import HTTP, running

import perfduck
from perfduck_model.zstandard import zstd
from perfduck_server.spool import JobStatus, PushedJob, Spool

pytestmark = pytest.mark.slow  # servers of their own, and processes that ask them

TEXT = Path(__file__).parents[2] / "fixtures" / "demo" / "native.udp64.1.txt.xz"
PUSHERS = 8


def recordings() -> list[bytes]:
    """Recordings that all differ: parts of one, some kilobytes each."""
    samples = lzma.decompress(TEXT.read_bytes()).split(b"\n\n")
    return [b"\n\n".join(samples[at : at + 20]) + b"\n\n" for at in range(0, 2000, 20)]


def test_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    bodies = dict(enumerate(recordings()))
    store = tmp_path / "s.duckdb"
    acknowledged: dict[int, int] = {}
    enough = Event()

    def push(url: str, number: int) -> None:
        # Some wait for the outcome, some for no more than that the upload is safe.
        query = f"name=run{number}&label.number={number}&wait={number % 2 * 30}"
        try:
            answer = urllib3.request(
                "POST",
                f"{url}/api/v1/recordings?{query}",
                body=bodies[number],
                timeout=60,
                retries=False,
            )
        except urllib3.exceptions.HTTPError:
            return  # killed before it answered
        if answer.status < 300:
            acknowledged[number] = answer.status
        if len(acknowledged) >= 12:
            enough.set()

    with running(store) as started, ThreadPoolExecutor(PUSHERS) as pool:
        done = [pool.submit(push, started.url, number) for number in bodies]
        assert enough.wait(120)
        started.process.send_signal(signal.SIGKILL)
        started.process.wait()
        for each in done:
            each.result()
    assert len(acknowledged) < len(bodies)
    assert {201, 202} <= set(acknowledged.values())
    with running(store) as started:
        metrics = f"{started.url}/metrics"
        while "perfduck_pushes_waiting 0.0" not in HTTP.request("GET", metrics).data.decode():
            assert started.process.poll() is None
        assert started.stop() == 0
    names = set(perfduck.open(store).names())
    assert {f"run{number}" for number in acknowledged} <= names
    labelled = perfduck.open(store).profiles("number=*")
    assert len(labelled.rows.rows()) == len(names)


def test_a_push_that_was_committed_and_not_finished_is_done_again(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    perfduck.open(store).ingest(TEXT, name="run")
    state = tmp_path / "s.duckdb.server"
    state.mkdir()
    spool = Spool(state)
    folder = spool.new()
    shutil.copy(TEXT, folder / "run.txt.xz")
    spool.accept(folder, PushedJob(id=folder.stem, file="run.txt.xz", labels={"a": "b"}))
    unfinished = spool.new()
    (unfinished / "run.txt.xz").write_bytes(b"part")
    with running(store) as started:
        url = f"{started.url}/api/v1/jobs/{folder.stem}"
        while (answer := HTTP.request("GET", url)).status == 202:
            assert msgspec.json.decode(answer.data)["state"] in ("queued", "running")
        assert answer.json()["result"] == "run: already in the store; label a=b added"
    assert list((state / "spool").iterdir()) == []


def test_a_push_whose_body_was_packed_before_the_commit_is_done_again(tmp_path: Path) -> None:
    store, content = tmp_path / "s.duckdb", recordings()[0]
    state = tmp_path / "s.duckdb.server"
    state.mkdir()
    spool = Spool(state)
    folder = spool.new()
    (folder / "recording.zst").write_bytes(zstd.compress(content))
    spool.accept(folder, PushedJob(id=folder.stem, file="recording", name="run"))
    with running(store) as started:
        url = f"{started.url}/api/v1/jobs/{folder.stem}"
        while (answer := HTTP.request("GET", url)).status == 202:
            assert started.process.poll() is None
        assert answer.json()["state"] == "stored", answer.data
        profile = answer.json()["profile"]["id"]
        raw = HTTP.request("GET", f"{started.url}/api/v1/recordings/{profile}/raw")
        assert raw.data == content
    assert list(perfduck.open(store).names()) == ["run"]


def test_a_push_that_meets_a_bug_is_kept(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    folder = spool.new()
    (folder / "run").write_bytes(b"recording")
    spool.accept(folder, PushedJob(id=folder.stem, file="run"))
    spool.finish(JobStatus(job=folder.stem, state="failed", error="a bug"))
    assert (tmp_path / "failed" / folder.stem / "run").read_bytes() == b"recording"
    assert list(Spool(tmp_path).waiting()) == []
    assert spool.outcome(folder.stem) == JobStatus(job=folder.stem, state="failed", error="a bug")


def test_a_server_whose_store_is_invalidated_ends_and_its_pushes_wait(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    perfduck.open(store).ingest(TEXT, name="before")
    with running(store) as started:
        jobs = f"{started.url}/api/v1/recordings?wait=0&name="
        # A file that must not grow is the full disk of this test.
        largest = store.stat().st_size + 4096
        resource.prlimit(
            started.process.pid, resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY)
        )
        for number, body in enumerate(recordings()[:3]):
            assert HTTP.request("POST", f"{jobs}{number}", body=body).status == 202
        with suppress(urllib3.exceptions.HTTPError):  # it may end while it is asked
            while started.process.poll() is None:
                HTTP.request("GET", f"{started.url}/api/v1/backup", retries=False)
                answer = HTTP.request("GET", f"{started.url}/healthz", retries=False)
                assert answer.status in (200, 503)
        assert started.process.wait(60) == 2
    log = store.with_suffix(".log").read_text()
    assert f"{store}: expected a store that can be written" in log.splitlines()[-1]
    assert list((tmp_path / "s.duckdb.server" / "failed").iterdir()) == []
    with running(store) as started:
        metrics = f"{started.url}/metrics"
        while "perfduck_pushes_waiting 0.0" not in HTTP.request("GET", metrics).data.decode():
            assert started.process.poll() is None
    assert set(perfduck.open(store).names()) == {"before", "0", "1", "2"}
