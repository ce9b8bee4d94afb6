"""ingest --store http://...: read here, stored there, as if the store were a file."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import urllib3
from served import served
from servers import Server
from test_every_option import ROWS, STORES, Row, _run, _words
from test_every_option import folder as folder  # a fixture
from test_remote_commands import mostly_slow, rows_of

import perfduck
from perfduck_store.remote.services import PROTOCOL

pytestmark = pytest.mark.slow  # servers of their own, and processes that ask them

FIXTURES = Path(__file__).parents[2] / "fixtures"
OF_PLACES = ("store", "spool")  # a file has no spool
INGESTS = [row for row in ROWS if row.command == "ingest" and row.parameter not in OF_PLACES]


def _typed(row: Row) -> str:
    return f"ingest {row.words} {row.typed}"


@pytest.mark.parametrize(
    ("store", "command"), mostly_slow(dict.fromkeys((row.store, _typed(row)) for row in INGESTS))
)
def test_an_ingest_is_the_same(store: str, command: str, folder: Path, tmp_path: Path) -> None:
    words = _words(command, folder)
    copies = [tmp_path / "file.duckdb", tmp_path / "server.duckdb"]
    if store in STORES:
        for copy in copies:
            shutil.copy(folder / f"{store}.duckdb", copy)
    with served(copies[1]) as url:
        found = _run(words, url)
    assert found == _run(words, copies[0])
    if copies[0].exists():
        assert rows_of(copies[1]) == rows_of(copies[0])


RECORDING = FIXTURES / "perf_script" / "net-chain" / "input.txt.xz"
SECOND = FIXTURES / "perf_script" / "fields-comm-only" / "input.txt"
NOBODY = "http://127.0.0.1:9"  # discard: nobody listens


def perfduck_(*words: str | Path, stdin: Any = None) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "perfduck", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=stdin)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with served(tmp_path / "server.duckdb") as url:
        yield url


def test_a_pipe_is_read_here(url: str) -> None:
    with SECOND.open("rb") as pipe:
        done = perfduck_("ingest", "-", "--name", "piped", "--store", url, stdin=pipe)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("piped: ")
    assert perfduck.open(url).names() == ("piped",)


def test_a_recording_that_names_another_is_refused_with_what_is_left(url: str) -> None:
    assert perfduck_("ingest", RECORDING, "--name", "a", "--store", url).returncode == 0
    done = perfduck_("ingest", SECOND, "--name", "a", "--store", url)
    assert done.returncode == 2
    assert done.stderr == (
        f"perfduck: {SECOND}: expected a new name, but another recording is stored as 'a'"
        " (give --name)\n"
    )


def test_a_server_that_is_not_there_is_noticed_before_a_recording_is_read(tmp_path: Path) -> None:
    done = perfduck_("ingest", tmp_path / "not there", "--store", NOBODY, "--wait", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"perfduck: {NOBODY}: expected a perfduck server, got connection refused\n"
    )


class Flaky(BaseHTTPRequestHandler):
    """In front of a server: fails in every other way before it passes a request on."""

    upstream = ""
    failures: ClassVar[list[object]] = []

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def _answer(self, verb: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "recordings" in self.path and self.failures:
            failure = self.failures.pop(0)
            if failure == "lost answer":
                self._passed_on(verb, body)
                self.close_connection = True
                return
            if isinstance(failure, int | HTTPStatus):
                self.send_response(failure)
                if not isinstance(failure, HTTPStatus):  # which a proxy in between sends
                    self.send_header("Perfduck-Protocol", PROTOCOL)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.close_connection = True
            return
        answer = self._passed_on(verb, body)
        self.send_response(answer.status)
        for name in ("Perfduck-Protocol", "Content-Type"):
            self.send_header(name, answer.headers.get(name, ""))
        self.send_header("Content-Length", str(len(answer.data)))
        self.end_headers()
        self.wfile.write(answer.data)

    def _passed_on(self, verb: str, body: bytes) -> urllib3.BaseHTTPResponse:
        to, headers = self.upstream + self.path, dict(self.headers)
        return urllib3.request(verb, to, body=body, headers=headers, timeout=60, retries=False)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def flaky(url: str) -> Iterator[str]:
    Flaky.upstream = url
    with HTTPServer(("127.0.0.1", 0), Flaky) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_push_is_tried_again(flaky: str, url: str) -> None:
    Flaky.failures = ["broken", 503, 429, 502]
    done = perfduck_("ingest", RECORDING, "--name", "a", "--store", flaky)
    assert (done.returncode, Flaky.failures) == (0, []), done.stderr
    assert done.stdout.startswith("a: 244 samples")
    assert perfduck.open(url).names() == ("a",)


def test_a_push_is_tried_again_while_a_proxy_has_no_answer(flaky: str, url: str) -> None:
    Flaky.failures = [HTTPStatus.BAD_GATEWAY, HTTPStatus(503), HTTPStatus.GATEWAY_TIMEOUT]
    done = perfduck_("ingest", RECORDING, "--name", "a", "--store", flaky)
    assert (done.returncode, Flaky.failures) == (0, []), done.stderr
    assert perfduck.open(url).names() == ("a",)


def test_what_a_proxy_refuses_is_not_tried_again(flaky: str) -> None:
    Flaky.failures = [HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.BAD_GATEWAY]
    done = perfduck_("ingest", RECORDING, "--name", "a", "--store", flaky)
    assert done.returncode == 2
    assert "another HTTP server (413 Request Entity Too Large)" in done.stderr
    assert Flaky.failures == [HTTPStatus.BAD_GATEWAY]


def test_a_push_whose_answer_was_lost_is_stored_once(flaky: str, url: str) -> None:
    Flaky.failures = ["lost answer"]
    done = perfduck_("ingest", RECORDING, "--name", "a", "--store", flaky)
    assert (done.returncode, done.stdout) == (0, "a: already in the store, nothing added\n")
    assert perfduck.open(url).names() == ("a",)


def test_trying_again_ends(flaky: str) -> None:
    Flaky.failures = [503] * 100
    done = perfduck_("ingest", RECORDING, "--store", flaky, "--wait", "1.5")
    assert done.returncode == 2
    assert "expected an answer, got status 503" in done.stderr


def kept(spool: Path) -> list[str]:
    return sorted(path.suffix for path in spool.iterdir())


def test_what_cannot_be_sent_is_kept_and_pushed_later(url: str, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    rules = tmp_path / "rules.csv"
    rules.write_text("symbol,area,subsystem,role\n^udp_,ours,our_udp,domain\n")
    words = ("--store", NOBODY, "--wait", "0", "--spool", spool)
    first = perfduck_("ingest", RECORDING, "--name", "a", "--label", "k=v", "--rules", rules,
                      *words)  # fmt: skip
    assert first.returncode == 75
    assert first.stdout.startswith("a: 244 samples")
    assert f"kept in {spool}, not sent: {NOBODY}: expected a perfduck server" in first.stdout
    assert first.stderr.splitlines()[1:] == [
        f"perfduck: 1 not sent (perfduck push {spool} --store {NOBODY})"
    ]  # behind what is said of the recording
    assert perfduck_("ingest", SECOND, "--work", "5", *words).returncode == 75
    assert kept(spool) == [".duckdb", ".duckdb", ".json", ".json"]

    lost = perfduck_("push", spool, "--store", NOBODY, "--wait", "0")
    assert (lost.returncode, kept(spool)) == (75, [".duckdb", ".duckdb", ".json", ".json"])

    done = perfduck_("push", spool, "--store", url)
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()[::2]] == ["a", "input"]
    assert kept(spool) == []
    straight = perfduck.open(tmp_path / "straight.duckdb")
    straight.ingest(RECORDING, name="a", labels=["k=v"], rules=rules)
    straight.ingest(SECOND, work=5)
    assert rows(url) == rows(straight.url)
    again = perfduck_("push", spool, "--store", url)
    assert (again.returncode, again.stdout) == (0, f"nothing to send in {spool}\n")


def rows(url: str) -> list[tuple[object, ...]]:
    columns = "* exclude (ingested_at)"
    found = perfduck.open(url).sql(f"select {columns} from profile order by name").frame.rows()
    return [*found, *perfduck.open(url).sql("from symbol order by all").frame.rows()]


def test_what_the_server_refuses_stays(url: str, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    perfduck.open(url).ingest(RECORDING, name="a")
    words = ("--store", NOBODY, "--wait", "0", "--spool", spool)
    assert perfduck_("ingest", SECOND, "--name", "a", *words).returncode == 75
    done = perfduck_("push", spool, "--store", url)
    assert done.returncode == 2
    assert "expected a new name, but another recording is stored as 'a'" in done.stderr
    assert done.stderr.count(str(SECOND)) == 1
    assert kept(spool) == [".duckdb", ".json"]


def test_two_push_the_same_directory(url: str, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    lost = perfduck.open(NOBODY, wait_s=0)
    for number in range(4):
        lines = SECOND.read_bytes().splitlines(keepends=True)
        (tmp_path / f"{number}.txt").write_bytes(b"".join(lines[number:]))
    names = [str(tmp_path / f"{number}.txt") for number in range(4)]
    results = lost.ingest(*names, spool=spool)
    assert [each.is_sent for each in results] == [False] * 4
    command = [sys.executable, "-m", "perfduck", "push", str(spool), "--store", url]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    stored = [line for line in "".join(said).splitlines() if " samples, " in line]
    assert sorted(line[0] for line in stored) == ["0", "1", "2", "3"]
    assert len(perfduck.open(url).names()) == 4
    assert kept(spool) == []


@pytest.mark.slow
def test_a_push_that_is_killed_sends_all_the_next_time(
    empty_server: Server, tmp_path: Path
) -> None:
    url = empty_server.url
    spool = tmp_path / "spool"
    lines = SECOND.read_bytes().splitlines(keepends=True)
    for number in range(8):
        (tmp_path / f"{number}.txt").write_bytes(b"".join(lines[number:]))
    names = [str(tmp_path / f"{number}.txt") for number in range(8)]
    perfduck.open(NOBODY, wait_s=0).ingest(*names, spool=spool)
    command = [sys.executable, "-m", "perfduck", "push", str(spool), "--store", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        process.kill()
    assert perfduck_("push", spool, "--store", url).returncode == 0
    assert perfduck.open(url).names() == tuple(str(number) for number in range(8))
    assert kept(spool) == []


def test_a_spool_is_for_servers(tmp_path: Path) -> None:
    done = perfduck_("ingest", RECORDING, "--spool", tmp_path, "--store", tmp_path / "s.duckdb")
    assert done.returncode == 2
    assert "expected the URL of a server as --store" in done.stderr
    assert perfduck_("push", tmp_path, "--store", tmp_path / "s.duckdb").returncode == 2
    missing = perfduck_("push", tmp_path / "nothing", "--store", NOBODY)
    assert missing.stderr.endswith("nothing: expected the directory of ingest --spool, got none\n")
