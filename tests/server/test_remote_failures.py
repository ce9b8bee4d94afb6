"""What may go wrong between a command and the store of a server: no server, another one, one that
ends, no permission."""

import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from command import run_text
from rows import mostly_slow
from served import served
from servers import Server, running
from set_limits import SetLimits

import perfduck
from perfduck import PerfduckError
from perfduck.opening import place_of
from perfduck_store.remote.services import PROTOCOL, PROTOCOL_HEADER

pytestmark = pytest.mark.slow

RECORDING = Path(__file__).parents[2] / "fixtures" / "perf_script" / "net-chain" / "input.txt.xz"


def failure(url: str, **options: Any) -> str:
    with pytest.raises(PerfduckError) as raised:
        perfduck.open(url, **options).names()
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_server_that_is_not_there_is_a_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    assert failure(url) == f"{url}: expected a perfduck server, got connection refused"
    assert "expected a perfduck server, got" in failure("http://nowhere.invalid:1")


def test_the_address_of_a_page_is_not_that_of_a_server(server: Server) -> None:
    url = f"{server.url}/diff"
    assert failure(url) == f"{url}: expected the URL of a perfduck server, got one with path /diff"


@pytest.mark.parametrize(
    "url", ["http://", "http://h:port", "http://u:p@h", "http://h/?q", "http://[::1"]
)
def test_what_is_no_address_is_a_line(url: str) -> None:
    assert failure(url).startswith(f"{url}: expected http://HOST:PORT")


def test_a_store_has_a_name() -> None:
    said = failure("")
    expected = "a path, http://HOST:PORT of a server, or lake:DIRECTORY or lake:s3://BUCKET/PREFIX"
    assert said == f"--store: expected {expected}, got nothing"


ODD_BODIES = {
    "empty": b"",
    "list": b"[]",
    "number": b'{"session":1}',
    "junk": b"\xc1\xff",
    "header": b'{"session":"a\\r\\nX: y"}',
    "idle": b'{"session":"s","idle_s":0}',
}


class Other(BaseHTTPRequestHandler):
    """Another server: answers by the path that the URL begins with."""

    server: "Quiet"

    def do_POST(self) -> None:
        kind = self.path.split("/")[1]
        if kind == "slow":
            self.server.is_over.wait(30)
        if kind == "broken":
            self.connection.close()
            return
        status = int(kind) if kind.isdigit() else 200
        self.send_response(status)
        if kind not in ("other", "301", "502"):
            self.send_header(PROTOCOL_HEADER, "999" if kind == "newer" else PROTOCOL)
        body = ODD_BODIES.get(kind, b'{"error":"X"}')
        if kind == "junk" and self.path.endswith("/read"):
            body = b'{"session":"s"}'
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Quiet(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Other)
        self.is_over = Event()

    def handle_error(self, *_: object) -> None:
        pass


@pytest.fixture
def other() -> Iterator[str]:
    with Quiet() as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.is_over.set()
        server.shutdown()


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("other", "expected a perfduck server, got another HTTP server (200 OK)"),
        ("301", "expected a perfduck server, got another HTTP server (301 Moved Permanently)"),
        ("502", "expected a perfduck server, got no answer of it behind a proxy (502 Bad Gateway)"),
        ("newer", f"expected a server that speaks protocol {PROTOCOL} of perfduck, as this command"
                  " does, got one of another version, which speaks 999"),
        ("401", "X ($PERFDUCK_TOKEN)"),
        ("403", "X"),
        ("500", "expected an answer, got status 500: X"),
        ("broken", "expected an answer, got a broken connection: remote end closed connection"),
        ("slow", "expected an answer, got nothing for 1 s (--wait SECONDS)"),
    ],
)  # fmt: skip
def test_a_server_that_answers_otherwise_is_a_line(other: str, path: str, line: str) -> None:
    assert failure(f"{other}/{path}", wait_s=1).startswith(f"{other}/{path}: {line}")


@pytest.mark.parametrize("kind", mostly_slow(ODD_BODIES, 2))
def test_a_body_that_is_no_answer_is_a_line(other: str, kind: str) -> None:
    expected = f"{other}/{kind}: expected an answer of perfduck, got a body that is not one ("
    assert failure(f"{other}/{kind}", wait_s=1).startswith(expected)
    with pytest.raises(PerfduckError, match="expected an answer of perfduck, got a body that is"):
        perfduck.open(f"{other}/{kind}").sql("select 1")


ENDLESS = {
    "body": (b"200 OK", b"\0" * 65536, "an answer of at most 2 MB, got more"),
    "error": (b"422 No", b"\0" * 65536, "an answer of at most 1 MB, got more"),
    "length": (
        b"200 OK\r\nContent-Length: 999999999999999",
        b"\0" * 65536,
        "at most 2 MB, got more",
    ),
    "continue": (b"100 Continue", b"HTTP/1.1 100 Continue\r\n\r\n" * 99, "no end of 100 Continue"),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_an_answer_without_end_is_a_line(kind: str, set_limits: SetLimits) -> None:
    set_limits(most_answer_bytes=2 << 20)
    head, piece, line = ENDLESS[kind]

    def answer(client: socket.socket) -> None:
        client.recv(1 << 16)
        client.sendall(b"HTTP/1.1 " + head + OWN)
        while True:
            client.sendall(piece)

    with answering(answer) as url:
        assert line in failure(url, wait_s=5)


def test_a_server_that_says_nothing_more_is_a_line(set_limits: SetLimits) -> None:
    """It keeps its session alive, and never answers what it is asked."""
    set_limits(most_answer_s=1)
    is_over = Event()

    def answer(client: socket.socket) -> None:
        while request := client.recv(1 << 16):
            if b"/sessions" not in request:
                is_over.wait(30)
            body = b'{"session":"s","idle_s":0.4}'
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d" % len(body) + OWN + body)

    with answering(answer) as url:
        assert failure(url) == f"{url}: expected an answer, got nothing for 1 s"
        is_over.set()


OWN = f"\r\n{PROTOCOL_HEADER}: {PROTOCOL}\r\n\r\n".encode()


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The URL of a server that has a thread for each connection."""

    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            answer(client)

    def accept() -> None:
        with suppress(OSError):
            while True:
                Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_command_has_what_its_token_allows(
    demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.duckdb"
    shutil.copy(demo_store, path)
    with served(path) as url:
        secrets = {scope: token(path, scope) for scope in ("read", "push", "read,admin")}
        said = f"{url}: expected a token with scope read, got none ($PERFDUCK_TOKEN)"
        assert failure(url) == said
        monkeypatch.setenv("PERFDUCK_TOKEN", "pdk_wrong")
        assert "got one that is unknown, revoked or expired ($PERFDUCK_TOKEN)" in failure(url)
        monkeypatch.setenv("PERFDUCK_TOKEN", "x\ny")
        assert failure(url) == "$PERFDUCK_TOKEN: expected a token, got other characters"
        monkeypatch.setenv("PERFDUCK_TOKEN", secrets["read"] + "\n")
        assert len(perfduck.open(url).names()) == 18
        with pytest.raises(PerfduckError, match="expected scope admin, got read"):
            perfduck.open(url).edit("native.crr.1", labels=["a=b"])
        with pytest.raises(PerfduckError, match="expected scope sql, got read"):
            perfduck.open(url).sql("select 1")
        with pytest.raises(PerfduckError, match="expected scope push, got read"):
            perfduck.open(url).ingest(RECORDING)
        [kept] = perfduck.open(url).ingest(RECORDING, spool=tmp_path / "spool")
        assert "got read" in kept.to_text()
        with pytest.raises(PerfduckError, match="expected scope push, got read"):
            perfduck.open(url).push(tmp_path / "spool")
        monkeypatch.setenv("PERFDUCK_TOKEN", secrets["push"])
        assert perfduck.open(url).ingest(RECORDING, name="pushed")[0].is_new
        monkeypatch.setenv("PERFDUCK_TOKEN", secrets["read,admin"])
        perfduck.open(url).edit("pushed", labels=["a=b"])
        perfduck.open(url, wait_s=0).edit("pushed", labels=["a=c"])


def token(store: Path, scopes: str) -> str:
    """The secret of a new token."""
    words = ["token", "add", scopes.replace(",", "-"), "--scope", scopes, "--store", str(store)]
    done = run_text(words)
    return next(word for word in done.stdout.split() if word.startswith("pdk_"))


def test_certificates_are_those_that_the_system_trusts(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    words = f"{command} -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(
        [*words.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    server = Quiet()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"https://127.0.0.1:{server.server_port}"
    said = f"{url}: expected a certificate that this system trusts, got self-signed certificate"
    assert failure(url) == said
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(certificate))
        assert failure(f"{url}/401") == f"{url}/401: X ($PERFDUCK_TOKEN)"
    server.shutdown()
    server.server_close()


def test_a_server_that_dies_is_a_line(demo_store: Path, tmp_path: Path) -> None:
    shutil.copy(demo_store, tmp_path / "s.duckdb")
    with running(tmp_path / "s.duckdb") as server, place_of(server.url).read() as store:
        store.profiles.all()
        server.process.kill()
        server.process.wait()
        with pytest.raises(PerfduckError, match=r"^http://127.0.0.1:\d+: expected .*, got"):
            store.symbols.all()


def test_ctrl_c_ends_a_command_at_once(other: str) -> None:
    command = [sys.executable, "-m", "perfduck", "profiles", "--store", f"{other}/slow"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(1.5)
        start = time.monotonic()
        process.send_signal(2)
        assert process.wait(10) == 130
        assert time.monotonic() - start < 2.5
