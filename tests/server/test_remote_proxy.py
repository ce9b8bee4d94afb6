"""The command line asks a server through the proxy that the environment names."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command import run_text
from servers import running

RECORDING = next(Path(__file__).parents[2].glob("fixtures/demo/native.udp64.1.*"))
pytestmark = pytest.mark.slow
# Names that nothing but the proxy resolves.
HOST = "perfduck.invalid"


@contextmanager
def proxy(*words: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """A proxy that runs: HOST:PORT, and the process."""
    command = [sys.executable, str(Path(__file__).with_name("proxy.py")), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"127.0.0.1:{process.stdout.readline().strip()}", process
        finally:
            process.kill()


def asked(process: "subprocess.Popen[str]") -> list[str]:
    """What it was asked for until now; it ends."""
    process.kill()
    assert process.stdout
    return process.stdout.read().splitlines()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with a token, which the environment has: without one a server has one name alone."""
    place = tmp_path / "s.duckdb"
    added = run_text(["token", "add", "all", "--scope", "push,read,sql,admin", "--store", place])
    monkeypatch.setenv("PERFDUCK_TOKEN", added.stdout.strip())
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return place


def lines(*words: str | Path, code: int = 0) -> str:
    done = run_text(words)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_http_goes_through_the_proxy(
    variable: str, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(store) as server, proxy("me:s@cret") as (place, process):
        monkeypatch.setenv(variable, f"http://me:s%40cret@{place}")
        url = f"http://{HOST}:{server.url.rpartition(':')[2]}"
        lines("ingest", RECORDING, "--name", "run", "--store", url)
        through = lines("top", "run", "--format", "json", "--store", url)
        requests = asked(process)
    assert through == lines("top", "run", "--format", "json", "--store", store)
    assert f"POST {url}/api/v1/recordings" in "\n".join(requests)
    assert all(each.split()[1].startswith(f"{url}/") for each in requests)


def test_https_goes_through_a_tunnel(
    store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    kind = ("-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}")
    name = ("-addext", f"subjectAltName=DNS:{HOST}", "-out", cert, "-keyout", key)
    subprocess.run(["openssl", "req", "-x509", *kind, *name], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", cert)
    tls = ("--tls-cert", cert, "--tls-key", key)
    with running(store, *tls) as server, proxy("me:secret") as (place, process):
        monkeypatch.setenv("https_proxy", f"me:secret@{place}")
        host = f"{HOST}:{server.url.rpartition(':')[2]}"
        lines("ingest", RECORDING, "--name", "run", "--store", f"https://{host}")
        through = lines("top", "run", "--format", "json", "--store", f"https://{host}")
        requests = asked(process)
    assert through == lines("top", "run", "--format", "json", "--store", store)
    assert set(requests) == {f"CONNECT {host}"}  # which sees no path, no token


@pytest.mark.parametrize("listed", [HOST, "invalid", ".invalid", f"a.b, {HOST}:80", "*"])
def test_what_no_proxy_lists_is_asked_directly(
    listed: str, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy() as (place, process):
        monkeypatch.setenv("http_proxy", f"http://{place}")
        monkeypatch.setenv("no_proxy", listed)
        line = lines("profiles", "--store", f"http://{HOST}:80", code=2)
        assert asked(process) == []
    assert "expected a perfduck server" in line
    assert "proxy" not in line


def test_this_machine_is_asked_directly(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(store) as server, proxy() as (place, process):
        monkeypatch.setenv("http_proxy", f"http://{place}")
        lines("profiles", "--store", server.url)
        lines("profiles", "--store", server.url.replace("127.0.0.1", "localhost"))
        assert asked(process) == []


@pytest.mark.parametrize(
    ("scheme", "typed", "says"),
    [
        ("http", "127.0.0.1:1", f"http://{HOST}:8480: expected a perfduck server, got connection"
         " refused through the proxy http://127.0.0.1:1 ($http_proxy)"),
        ("https", "me:secret@127.0.0.1:1", f"https://{HOST}:8480: expected a perfduck server, got"
         " connection refused through the proxy http://127.0.0.1:1 ($https_proxy)"),
        ("http", "socks5://me:secret@h:1", "$http_proxy: expected http://HOST:PORT, got socks5://"),
        ("http", "http://h:port", "$http_proxy: expected http://HOST:PORT, got another URL"),
    ],
)  # fmt: skip
def test_a_proxy_that_is_none_is_named(
    scheme: str, typed: str, says: str, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{scheme}_proxy", typed)
    line = lines("profiles", "--store", f"{scheme}://{HOST}:8480", code=2)
    assert line == f"perfduck: {says}\n"


@pytest.mark.parametrize(
    ("scheme", "got"),
    [
        ("http", "another HTTP server (407 Proxy Authentication Required)"),
        ("https", "tunnel connection failed: 407 Proxy Authentication Required"),
    ],
)
def test_a_proxy_that_refuses_is_named(
    scheme: str, got: str, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy("me:secret") as (place, _):
        monkeypatch.setenv(f"{scheme}_proxy", place)
        line = lines("profiles", "--store", f"{scheme}://{HOST}:8480", code=2)
    through = f"through the proxy http://{place} (${scheme}_proxy)"
    assert line == f"perfduck: {scheme}://{HOST}:8480: expected a perfduck server, got {got}" + (
        f" {through}\n"
    )
