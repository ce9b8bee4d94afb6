"""The store of a server: what its methods take, its sessions, and what may go wrong."""

import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any, cast
from unittest.mock import MagicMock

import msgspec
import polars as pl
import pytest
import urllib3
from command import run_text
from hypothesis import given
from hypothesis import strategies as st
from rows import mostly_slow
from served import served
from servers import HTTP, Server, running
from set_limits import SetLimits

import perfduck
from perfduck import PerfduckError
from perfduck.opening import place_of
from perfduck_server.store_sessions import StoreSessions, TooManySessions
from perfduck_store import protocol
from perfduck_store.choice import Choice
from perfduck_store.edit import Edit
from perfduck_store.remote import wire
from perfduck_store.remote.services import PROTOCOL, PROTOCOL_HEADER, SERVICES, all_methods, methods

pytestmark = pytest.mark.slow

RECORDING = Path(__file__).parents[2] / "fixtures" / "perf_script" / "net-chain" / "input.txt.xz"
SESSIONS = "/api/v1/store/sessions"
IDS = st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=5)


@pytest.fixture
def copy(demo_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(demo_store, tmp_path / "own.duckdb"))


@pytest.fixture
def own(copy: Path) -> Iterator[str]:
    with served(copy) as url:
        yield url


def test_every_method_of_the_protocol_goes_over_the_wire() -> None:
    asked = {name for name, kind in SERVICES.items() if kind.__module__ == protocol.__name__}
    properties = {
        name for name, member in vars(protocol.Store).items() if isinstance(member, property)
    }
    assert asked == (properties - {"folder"}) | {"samples"}
    for method in all_methods():
        assert wire._parameters_type(method), method
    changing = {f"{each.service}.{each.name}" for each in all_methods() if each.changes}
    assert changing == {
        "profiles.edit", "profiles.remove", "symbols.replace_tags", "symbols.keep_functions",
        "symbols.keep_artefacts", "tag_inputs.keep", "tag_inputs.forget", "attachments.keep",
        "noise.replace", "noise.forget", "transaction.begin", "transaction.commit",
        "transaction.rollback",
    }  # fmt: skip


@given(IDS, st.text(), st.floats(allow_nan=False), st.dictionaries(st.text(), st.text()))
def test_parameters_arrive_as_they_were_given(
    ids: list[int], text: str, number: float, labels: dict[str, str]
) -> None:
    edit = methods("profiles")["edit"]
    wanted = Edit(name=text, work=number, labels=labels, unlabel=(text,))
    body = wire.encoded_parameters(edit, (1, wanted), {})
    assert wire.decoded_parameters(edit, body) == {"profile_id": 1, "wanted": wanted}
    of = methods("profiles")["of"]
    for kind in (list, tuple, iter, dict.fromkeys, lambda given: pl.Series(given, dtype=pl.Int64)):
        body = wire.encoded_parameters(of, (kind(ids),), {})
        assert wire.decoded_parameters(of, body)["profiles"] == list(kind(ids))
    choice = Choice(
        profiles=ids, events=[(text,)] * len(ids), values={"comm": [text]}, keep=["comm"]
    )
    packed, _ = wire.without_choice(wire.with_choice(choice, b"\x80"))
    assert wire.decoded_choice(packed) == choice


@given(st.binary(max_size=200))
def test_any_other_body_is_a_line(body: bytes) -> None:
    for method in all_methods():
        with suppress(PerfduckError):
            wire.decoded_parameters(method, body)


@pytest.mark.parametrize(
    ("path", "parameters", "line"),
    [
        ("symbols/is_known", {"function": 7}, "expected `str`, got `int`"),
        ("symbols/is_known", {}, "missing required field `function`"),
        ("symbols/is_known", {"function": "x", "y": 1}, "unknown field `y`"),
        ("profiles/of", {"profiles": [1 << 63]}, "expected `int` <= 9223372036854775807"),
        ("attachments/met_rules", {"profiles": [], "limit": -1}, "expected `int` >= 0"),
        ("tag_inputs/kept", {"kind": "../../etc/passwd"}, "invalid enum value"),
    ],
)
def test_what_is_not_of_its_type_is_refused(
    server: Server, path: str, parameters: dict[str, Any], line: str
) -> None:
    answer = call(server.url, path, parameters)
    assert answer.status == 422
    assert line in answer.json()["error"]


def test_a_ranking_is_one_of_those_that_there_are(server: Server) -> None:
    with place_of(server.url).read() as store:
        ids = [each.profile_id for each in store.profiles.all()][:1]
        samples = store.samples(Choice(profiles=ids, events=[("cpu-clock",)]))
        assert len(samples.rank("dso", 3)) == 3
        by: Any = "../../../../etc/passwd"
        with pytest.raises(PerfduckError, match="invalid enum value"):
            samples.rank(by, 3)


def test_tables_and_columns_are_those_of_the_store(own: str) -> None:
    rows = pl.DataFrame({"nothing": [1]})
    with place_of(own).write() as store:
        [first, *_] = store.profiles.all()
        table: Any = "profile"
        with pytest.raises(PerfduckError, match="invalid enum value"):
            store.attachments.keep(first.profile_id, "iptables", "x", "y", {table: rows})
        with pytest.raises(PerfduckError, match="expected values that the table holds"):
            store.symbols.keep_artefacts(first.profile_id, rows)
    assert len(perfduck.open(own).names()) == 18


def test_there_is_no_other_service_or_method(server: Server) -> None:
    for path in ("store/execute", "profiles/_store", "profiles/said", "samples/__class__"):
        assert call(server.url, path, {}).status == 404


def test_a_body_is_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = call(server.url, "symbols/is_known", {"function": "x" * (wire.MOST_BYTES + 1)})
    assert answer.status == 413


def call(url: str, path: str, parameters: dict[str, Any]) -> urllib3.BaseHTTPResponse:
    session = HTTP.request("POST", f"{url}{SESSIONS}/read").json()["session"]
    headers = {"Perfduck-Session": session}
    body = msgspec.msgpack.encode(parameters)
    try:
        return HTTP.request("POST", f"{url}/api/v1/store/{path}", body=body, headers=headers)
    finally:
        HTTP.request("DELETE", f"{url}{SESSIONS}", headers=headers)


@pytest.mark.parametrize(
    ("code", "data", "line"),
    [(5, b"x", "expected no extension type 5"), (1, b"2020-13-45", "month must be in 1..12")],
)
def test_an_extension_that_is_none_is_a_line(code: int, data: bytes, line: str) -> None:
    body = msgspec.msgpack.encode({"learned": msgspec.msgpack.Ext(code, data)})
    with pytest.raises(PerfduckError, match=line):
        wire.decoded_parameters(methods("noise")["replace"], body)


def test_details_of_another_id_are_not_there(server: Server) -> None:
    answer = call(server.url, "profiles/details", {"profile_id": 1})
    assert (answer.status, answer.json()) == (
        404,
        {"error": "profile 1: expected one that is stored, got none"},
    )


def test_a_client_of_another_protocol_is_refused(server: Server) -> None:
    url = f"{server.url}{SESSIONS}/read"
    answer = HTTP.request("POST", url, headers={PROTOCOL_HEADER: "9"})
    line = f"Perfduck-Protocol: expected {PROTOCOL}, which this server speaks, got 9"
    assert (answer.status, answer.json()["error"]) == (400, line)
    assert answer.headers[PROTOCOL_HEADER] == PROTOCOL


def test_a_session_that_reads_changes_nothing(own: str) -> None:
    answer = call(own, "profiles/remove", {"profiles": []})
    assert answer.status == 422
    assert "expected a session that writes" in answer.json()["error"]


def test_a_reader_sees_one_state(own: str) -> None:
    with place_of(own).read() as reader:
        assert len(reader.profiles.all()) == 18
        perfduck.open(own).remove("native.crr.1")
        assert len(reader.profiles.all()) == 18
    assert len(perfduck.open(own).names()) == 17


def test_a_transaction_is_a_whole(own: str) -> None:
    with place_of(own).write() as store:
        [first, second, *_] = store.profiles.all()
        with store.transaction():
            store.profiles.edit(first.profile_id, Edit(labels={"a": "kept"}))
        with pytest.raises(PerfduckError, match="a new name"), store.transaction():  # noqa: PT012
            store.profiles.edit(first.profile_id, Edit(labels={"a": "undone"}))
            store.profiles.edit(first.profile_id, Edit(name=second.name))
        assert store.profiles.of([first.profile_id])[0].labels["a"] == "kept"
    assert "a=kept" in perfduck.open(own).profiles("a=kept").to_text()


def test_one_writes_at_a_time(own: str) -> None:
    with place_of(own).write() as store:
        store.profiles.all()
        start = time.monotonic()
        with pytest.raises(PerfduckError, match="expected a free store"):
            perfduck.open(own, wait_s=1.5).edit("native.crr.1", labels=["a=b"])
        assert 1 < time.monotonic() - start < 10
        assert len(perfduck.open(own).names()) == 18
    perfduck.open(own, wait_s=1.5).edit("native.crr.1", labels=["a=b"])


def test_what_a_client_that_vanishes_had_begun_is_undone(copy: Path) -> None:
    """One that says nothing between two requests."""
    with served(copy, session_idle_s=1.0) as own:
        session = HTTP.request("POST", f"{own}{SESSIONS}/write").json()["session"]
        headers = {"Perfduck-Session": session}

        def ask(service: str, name: str, *arguments: object) -> urllib3.BaseHTTPResponse:
            body = wire.encoded_parameters(methods(service)[name], arguments, {})
            path = f"{own}/api/v1/store/{service}/{name}"
            return HTTP.request("POST", path, body=body, headers=headers)

        with place_of(own).read() as store:
            [first, *_] = store.profiles.all()
        assert ask("transaction", "begin").status == 200
        assert ask("profiles", "edit", first.profile_id, Edit(labels={"a": "b"})).status == 200
        perfduck.open(own).edit("native.crr.1", labels=["c=d"])
        assert len(perfduck.open(own).profiles("c=d")) == 1
        assert (
            "expected a session, got one that has ended"
            in ask("transaction", "commit").json()["error"]
        )
        with pytest.raises(PerfduckError, match="expected a profile"):
            perfduck.open(own).profiles("a=b")


def test_a_client_that_thinks_for_long_keeps_its_session(copy: Path) -> None:
    with served(copy, session_idle_s=1.0) as own:
        with place_of(own).write() as store, store.transaction():
            [first, *_] = store.profiles.all()
            time.sleep(2.5)  # a session that is not heard of is ended within 2 s
            store.profiles.edit(first.profile_id, Edit(labels={"a": "b"}))
        assert len(perfduck.open(own).profiles("a=b")) == 1


def test_sessions_are_bounded(copy: Path) -> None:
    with served(copy, most_sessions=3) as own:
        opened = [place_of(own).read() for _ in range(3)]
        for each in opened:
            each.profiles.all()
        with pytest.raises(PerfduckError, match="at most 3 sessions"):
            perfduck.open(own, wait_s=0.1).names()
        opened[0].close()
        assert len(perfduck.open(own).names()) == 18
        for each in opened:
            each.close()


def test_sessions_that_begin_at_once_are_bounded() -> None:
    """To open the store of one takes a moment, in which others are counted."""
    everybody, opened = Barrier(8), []

    class Slow:
        def read(self) -> MagicMock:
            opened.append(1)
            time.sleep(0.2)
            return MagicMock()

    sessions = StoreSessions(cast(Any, Slow()), idle_s=20, most=3)

    def begin(number: int) -> bool:
        everybody.wait()
        with suppress(TooManySessions):
            return bool(sessions.begin(f"client {number}", write=False))
        return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(begin, range(8))) == len(opened) == 3
    sessions.close()
    assert sessions.begin("another", write=False)


# What may go wrong on the way


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
