"""perfduck serve --publish: pushes reach a lake soon after, also one that fails at first."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import urllib3
from command import run_text
from lakes import rows_of_lake, say, written
from servers import HTTP, Server, command, running, soon
from test_remote_commands import rows_of

import perfduck


def push(server: Server, path: Path, **labels: str) -> urllib3.BaseHTTPResponse:
    query = "&".join(
        [f"wait=60&name={path.stem}", *(f"label.{key}={labels[key]}" for key in labels)]
    )
    answer = HTTP.request("POST", f"{server.url}/api/v1/recordings?{query}", body=path.read_bytes())
    assert answer.status in (200, 201), answer.data
    return answer


def health(server: Server) -> Any:
    return HTTP.request("GET", f"{server.url}/healthz").json()


def names(lake: Path) -> tuple[str, ...]:
    return perfduck.open(f"lake:{lake}").names() if lake.exists() else ()


def metric(server: Server, name: str) -> float:
    text = HTTP.request("GET", f"{server.url}/metrics").data.decode()
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


@pytest.fixture
def recordings(tmp_path: Path) -> list[Path]:
    return written(tmp_path / "recordings", 4)


@pytest.mark.slow
def test_what_is_pushed_is_published(recordings: list[Path], tmp_path: Path) -> None:
    lake, store = tmp_path / "lake", tmp_path / "team.duckdb"
    say("ingest", recordings[0], "--label", "n=0", "--store", store)
    note = tmp_path / "note"
    note.write_text("of the run")
    say("attach", "run-0", f"note={note}", "--store", store)
    with running(store, "--publish", f"lake:{lake}") as server:
        soon(lambda: names(lake) == ("run-0",))
        for number, path in enumerate(recordings[1:], 1):
            push(server, path, n=str(number))
        soon(lambda: len(names(lake)) == 4)
        soon(lambda: health(server)["publish_waiting"] == 0)
        assert health(server)["publish"] == "ok"
        assert metric(server, "perfduck_published_total") == 4
        assert metric(server, "perfduck_publish_failures_total") == 0
    assert not list((tmp_path / "team.duckdb.server").glob("publishing"))
    assert rows_of_lake(lake, tmp_path) == rows_of(store)
    assert "published 1 to lake:" in (tmp_path / "team.log").read_text()


@pytest.mark.slow
def test_a_lake_that_fails_costs_no_push_and_gets_all_later(
    recordings: list[Path], tmp_path: Path
) -> None:
    lake, store = tmp_path / "lake", tmp_path / "team.duckdb"
    lake.write_text("in the way")
    with running(store, "--publish", f"lake:{lake}") as server:
        push(server, recordings[0])
        soon(lambda: health(server)["publish"] == "failing")
        push(server, recordings[1])
        assert health(server)["status"] == "ok"
        assert metric(server, "perfduck_publish_failures_total") >= 1
        page = HTTP.request("GET", f"{server.url}/").data.decode()
        assert f"{lake}: expected the directory of a lake, got a file" in page
        assert "Pushes are stored all the same" in page
        lake.unlink()
        soon(lambda: names(lake) == ("run-0", "run-1"))
        soon(lambda: health(server)["publish"] == "ok")
        assert "all the same" not in HTTP.request("GET", f"{server.url}/").data.decode()
        lake.rename(tmp_path / "away")
        lake.write_text("in the way")
        push(server, recordings[2])
        soon(lambda: health(server)["publish"] == "failing")
        assert health(server)["publish_waiting"] == 1
    log = (tmp_path / "team.log").read_text()
    said = f"publish to lake:{lake}: {lake}: expected the directory of a lake, got a file"
    assert log.count(said) == 2  # once for each time that it fails, however often it is tried


@pytest.mark.slow
def test_a_server_that_is_killed_publishes_the_rest_after_the_next_start(
    recordings: list[Path], tmp_path: Path
) -> None:
    lake, store = tmp_path / "lake", tmp_path / "team.duckdb"
    with running(store, "--publish", f"lake:{lake}") as server:
        for path in recordings:
            push(server, path)
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    with running(store, "--publish", f"lake:{lake}") as server:
        soon(lambda: len(names(lake)) == 4)
        soon(lambda: health(server)["publish_waiting"] == 0)
        assert server.stop() == 0
    assert rows_of_lake(lake, tmp_path) == rows_of(store)


@pytest.mark.slow
def test_what_is_removed_on_one_side_stays_on_the_other(
    recordings: list[Path], tmp_path: Path
) -> None:
    lake, store = tmp_path / "lake", tmp_path / "team.duckdb"
    say("ingest", *recordings[:2], "--store", store)
    with running(store, "--publish", f"lake:{lake}") as server:
        soon(lambda: len(names(lake)) == 2)
        say("rm", "run-0", "--store", server.url)
        say("rm", "run-1", "--store", f"lake:{lake}")
        say("compact", "--store", f"lake:{lake}")
        push(server, recordings[2])
        soon(lambda: names(lake) == ("run-0", "run-2"))
        assert perfduck.open(server.url).names() == ("run-1", "run-2")


@pytest.mark.slow
def test_two_servers_may_publish_the_same(recordings: list[Path], tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    for name in ("one", "two"):
        say("ingest", *recordings, "--store", tmp_path / f"{name}.duckdb")
    options = ("--publish", f"lake:{lake}")
    with (
        running(tmp_path / "one.duckdb", *options) as one,
        running(tmp_path / "two.duckdb", *options) as two,
    ):
        for server in (one, two):
            soon(lambda server=server: health(server)["publish_waiting"] == 0)
    assert rows_of_lake(lake, tmp_path) == rows_of(tmp_path / "one.duckdb")


def test_what_is_no_lake_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in [name for name in os.environ if name.startswith("AWS_") and "KEY" in name]:
        monkeypatch.delenv(name)
    words = {
        "team.duckdb": "--publish: expected lake:DIRECTORY or lake:s3://BUCKET/PREFIX, got team",
        "lake:gs://x": "lake:gs://x: expected lake:DIRECTORY",
        "lake:s3://fleet/x": "S3: expected keys: $AWS_ACCESS_KEY_ID",
    }
    for lake, line in words.items():
        done = run_text(command(tmp_path / "s.duckdb", "--publish", lake)[3:])
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert f"perfduck: {line}" in done.stderr
    assert not (tmp_path / "s.duckdb").exists()
