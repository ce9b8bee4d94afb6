"""perfduck serve as a process: what it prints, how it ends, and what it refuses."""

import signal
import socket
import subprocess

import pytest
import urllib3
from servers import HTTP, Server, command, running

import perfduck
from perfduck_server.serving import listening

pytestmark = pytest.mark.slow  # servers of their own, and processes that ask them

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
    assert HTTP.request("GET", f"{server.url}/healthz").status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_asked_and_lets_others_have_the_store(tmp_path, number) -> None:
    with running(tmp_path / "s.duckdb") as started:
        assert HTTP.request("GET", f"{started.url}/healthz").status == 200
        assert started.stop(number) == 0
    assert perfduck.open(started.store, wait_s=0).names() == ()


def test_it_listens_on_ipv6(tmp_path) -> None:
    with running(tmp_path / "s.duckdb", "--listen", "[::1]:0") as started:
        assert started.url.startswith("http://[::1]:")
        assert HTTP.request("GET", f"{started.url}/healthz").status == 200


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_head() -> None:
    with listening("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


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


def test_nothing_is_made_beside_what_is_no_store(tmp_path) -> None:
    (tmp_path / "s.duckdb").write_text("hello\n")
    assert "s.duckdb: expected a" in refused(command(tmp_path / "s.duckdb"))
    assert [path.name for path in tmp_path.iterdir()] == ["s.duckdb"]


def test_a_store_that_another_process_holds_is_a_line(server: Server) -> None:
    line = refused(command(server.store, "--wait", "0"))
    assert f"expected a free store within 0 s, but process {server.process.pid}" in line


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[str, str]:
    """Files of a certificate of localhost that signs itself, and of its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ("-newkey", "rsa:2048", "-nodes", "-days", "2")
    name = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    files = (str(folder / "cert.pem"), str(folder / "key.pem"))
    done = ["openssl", "req", "-x509", *key, *name, "-out", files[0], "-keyout", files[1]]
    subprocess.run(done, check=True, capture_output=True)
    return files


def test_it_answers_over_https(tmp_path, certificate) -> None:
    options = ("--tls-cert", certificate[0], "--tls-key", certificate[1])
    with running(tmp_path / "s.duckdb", *options) as started:
        assert started.url.startswith("https://127.0.0.1:")
        pool = urllib3.PoolManager(ca_certs=certificate[0])
        assert pool.request("GET", f"{started.url}/healthz", timeout=30).status == 200


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--tls-cert", "{cert}"), "--tls-cert: expected --tls-key with it"),
        (("--tls-cert", "{cert}", "--tls-key", "{cert}"), "expected a certificate and its key"),
        (("--tls-cert", "none.pem", "--tls-key", "{cert}"), "got no such file"),
        (("--retention", "pr=*"), "--retention: expected [raw] SELECTOR keep|AGE"),
        (("--retention", "a+ 30d"), "--retention: "),
        (("--anonymous", "write"), "--anonymous"),
        (("--access-log", "/nowhere/log"), "/nowhere/log: No such file"),
        (("--memory", "1"), "--memory: expected a whole number from 128"),
        (("--max-upload", "0"), "--max-upload: expected a whole number from 1"),
        (("--job-memory", "x"), "--job-memory: expected a whole number"),
        (("--job-timeout", "0"), "--job-timeout: expected a number from 1"),
    ],
)
def test_a_wrong_option_is_a_line(tmp_path, certificate, words, says) -> None:
    given = [word.format(cert=certificate[0]) for word in words]
    assert says in refused(command(tmp_path / "s.duckdb", *given))


@pytest.mark.parametrize(("store", "kind"), [("http://127.0.0.1:8480", "URL"), ("lake:x", "lake")])
def test_a_server_serves_a_file(tmp_path, store, kind) -> None:
    words = [*command(tmp_path)[:3], "serve", "--store", store]
    assert f"{store}: expected the path of a store to serve, got a {kind}" in refused(words)


def test_all_addresses_are_shown_as_one_that_can_be_asked(tmp_path) -> None:
    store = tmp_path / "s.duckdb"
    words = [*command(store), "token"]
    subprocess.run(
        [*words[:3], "token", "add", "ci", "--scope", "read", "--store", store], check=True
    )
    with running(store, "--listen", "0.0.0.0:0") as started:
        assert "//0.0.0.0" not in started.url
        assert HTTP.request("GET", f"{started.url}/healthz").status == 200
        assert started.process.stdout
        push, addresses = (started.process.stdout.readline() for _ in range(2))
        assert f"{started.url}/api/v1/recordings" in push
        assert addresses == f"listens on all addresses of {socket.gethostname()} (0.0.0.0)\n"


def test_a_store_that_a_server_holds_says_where_it_answers(tmp_path) -> None:
    with running(tmp_path / "s.duckdb") as started:
        with pytest.raises(
            perfduck.PerfduckError, match="holds it, a server: --store http"
        ) as busy:
            perfduck.open(started.store, wait_s=0).names()
        assert f"--store {started.url} asks it" in str(busy.value)
        file = started.store.with_name("s.duckdb.server") / "address.json"
        file.write_text(file.read_text().replace(str(started.process.pid), "1"))
        with pytest.raises(perfduck.PerfduckError, match=r"holds it \(--wait SECONDS\)"):
            perfduck.open(started.store, wait_s=0).names()


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("127.0.0.1:8480", "127.0.0.1:8480: expected http://127.0.0.1:8480 for a server, or the"),
        ("node7.lab:80", "expected http://node7.lab:80 for a server"),
        ("[::1]:8480", r"expected http://\[::1\]:8480 for a server"),
        ("http://127.0.0.1", r"perfduck serve has port 8480: http://127.0.0.1:8480\)"),
    ],
)
def test_what_is_no_url_of_a_server_gets_a_hint(url, line) -> None:
    with pytest.raises(perfduck.PerfduckError, match=line):
        perfduck.open(url, wait_s=0).names()


@pytest.mark.parametrize(
    ("path", "status"), [("/", 200), ("/api/v1/profiles", 200), ("/healthz", 200), ("/no", 404)]
)
def test_head_is_the_head_of_get(server: Server, path: str, status: int) -> None:
    whole = HTTP.request("GET", server.url + path, headers={"Accept": "text/html"})
    head = HTTP.request("HEAD", server.url + path, headers={"Accept": "text/html"})
    assert (head.status, head.data) == (status, b"")
    assert "Content-Security-Policy" in head.headers
    if path != "/healthz":  # which says how much room the disk has
        assert head.headers["Content-Length"] == str(len(whole.data))
