"""perfduck serve as a process: what it prints, how it ends, and what it refuses."""

import signal
import socket
import subprocess

import pytest
import urllib3
from servers import Server, command, running

import perfduck

GONE = "expected a free address of this machine"


def refused(words: list[str]) -> str:
    """The one line of a command that fails."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_it_says_its_address_its_store_and_how_to_push(server: Server) -> None:
    assert server.first == f"{server.url} serves {server.store} (18 profiles)\n"
    assert server.process.stdout
    push = server.process.stdout.readline()
    assert (
        push == f"push: curl -T run.txt.xz '{server.url}/api/v1/recordings?label.scenario=native'\n"
    )
    assert urllib3.request("GET", f"{server.url}/healthz").status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_asked_and_lets_others_have_the_store(tmp_path, number) -> None:
    with running(tmp_path / "s.duckdb") as started:
        assert urllib3.request("GET", f"{started.url}/healthz").status == 200
        assert started.stop(number) == 0
    assert perfduck.open(started.store, wait_s=0).names() == ()


def test_it_listens_on_ipv6(tmp_path) -> None:
    with running(tmp_path / "s.duckdb", "--listen", "[::1]:0") as started:
        assert started.url.startswith("http://[::1]:")
        assert urllib3.request("GET", f"{started.url}/healthz").status == 200


def test_a_busy_port_is_a_line(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        line = refused(command(tmp_path / "s.duckdb", "--listen", place))
    assert line == f"perfduck: --listen {place}: {GONE}, got address already in use\n"


@pytest.mark.parametrize("place", ["8480", "a:b:c", "127.0.0.1:99999", "", "[::1]"])
def test_what_is_no_address_is_a_line(tmp_path, place) -> None:
    assert "--listen: expected HOST:PORT" in refused(
        command(tmp_path / "s.duckdb", "--listen", place)
    )


def test_a_store_that_another_process_holds_is_a_line(server: Server) -> None:
    line = refused(command(server.store, "--wait", "0"))
    assert f"expected a free store within 0 s, but process {server.process.pid}" in line
