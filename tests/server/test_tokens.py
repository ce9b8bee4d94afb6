"""Who may do what: tokens, scopes, labels, and what other sites' pages cannot do."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import urllib3
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from servers import HTTP, Server, command, running, soon

from perfduck_server.app import create_app
from perfduck_server.service import Service
from perfduck_server.settings import Settings

pytestmark = pytest.mark.slow  # servers of their own, and processes that ask them

TEXT = Path(__file__).parents[2] / "fixtures" / "demo" / "native.udp64.1.txt.xz"
SCOPES = ("push", "read", "sql", "admin")


def perfduck(*words: str | Path, code: int = 0) -> str:
    """What a command prints."""
    line = [sys.executable, "-m", "perfduck", *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


class Guarded(NamedTuple):
    """A server with a token of each scope."""

    server: Server
    secrets: dict[str, str]

    def ask(self, method: str, path: str, secret: str | None = None, **options: object):
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        headers |= options.pop("headers", {})
        url = f"{self.server.url}{path}"
        return urllib3.request(method, url, headers=headers, redirect=False, timeout=60, **options)


@pytest.fixture(scope="module")
def guarded(demo_store: Path, tmp_path_factory) -> Iterator[Guarded]:
    store = tmp_path_factory.mktemp("guarded") / "demo.duckdb"
    shutil.copy(demo_store, store)
    secrets = {}
    for scope in SCOPES:
        words = ["token", "add", scope, "--scope", scope, "--store", store]
        words += ["--label", "host=node7"] if scope == "push" else []
        secrets[scope] = perfduck(*words).strip()
    with running(store) as started:
        yield Guarded(started, secrets)


ROUTES = [
    ("POST", "/api/v1/recordings", "push"),
    ("PUT", "/api/v1/recordings", "push"),
    ("POST", "/v1development/profiles", "push"),
    ("GET", f"/api/v1/jobs/{'0' * 28}", "push"),
    ("GET", "/api/v1/profiles", "read"),
    ("GET", "/api/v1/top?selector=*", "read"),
    ("GET", f"/api/v1/recordings/{'0' * 16}/raw", "read"),
    ("GET", "/metrics", "read"),
    ("POST", "/api/v1/sql", "sql"),
    ("GET", "/api/v1/backup", "admin"),
    ("PATCH", f"/api/v1/profiles/{'0' * 16}", "admin"),
    ("DELETE", f"/api/v1/profiles/{'0' * 16}", "admin"),
    ("POST", "/api/v1/store/merge", "admin"),
]


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_a_route_needs_its_scope(guarded: Guarded, method: str, path: str, scope: str) -> None:
    without = guarded.ask(method, path)
    assert without.status == 401
    assert without.headers["WWW-Authenticate"] == 'Bearer realm="perfduck"'
    assert guarded.ask(method, path, "pdk_wrong").status == 401
    for other in SCOPES:
        answer = guarded.ask(method, path, guarded.secrets[other])
        assert (answer.status == 403) == (other != scope), other
        assert answer.status != 401


OPEN_TO_ALL = {"/healthz", "/login", "/logout", "/static/{name}"}
OF_WHO_BEGAN_ONE = {"/api/v1/store/sessions"}  # to keep and to end it, by its key


def scopes_checked(dependant: Dependant) -> bool:
    """Whether a route, or what it depends on, asks for a scope."""
    names = (getattr(each.call, "__qualname__", "") for each in dependant.dependencies)
    return any(name.startswith("require.") for name in names) or any(
        scopes_checked(each) for each in dependant.dependencies
    )


def test_no_route_is_without_a_scope(tmp_path: Path) -> None:
    service = Service(Settings(store=tmp_path / "s.duckdb"))
    try:
        included = [each for each in create_app(service).routes if hasattr(each, "original_router")]
        routes = [
            route
            for each in included
            for route in each.original_router.routes
            if isinstance(route, APIRoute)
        ]
    finally:
        service.close()
    assert len(routes) > 25
    without = {route.path for route in routes if not scopes_checked(route.dependant)}
    assert without == OPEN_TO_ALL | OF_WHO_BEGAN_ONE


def test_a_large_body_without_a_token_gets_its_answer(guarded: Guarded) -> None:
    for query in ("", "?wrok=1"):
        secret = guarded.secrets["push"] if query else None
        path = f"/api/v1/recordings{query}"
        answer = guarded.ask("POST", path, secret, body=bytes(8 << 20), retries=False)
        assert answer.status == (422 if query else 401)


def test_labels_of_a_token_are_on_what_it_pushes(guarded: Guarded) -> None:
    body = TEXT.read_bytes()
    path = "/api/v1/recordings?label.host=node8"
    answer = guarded.ask("POST", path, guarded.secrets["push"], body=body)
    assert answer.status == 422
    line = "label.host=node8: expected node7, as the token says, got node8"
    assert answer.json() == {"error": line}
    answer = guarded.ask("POST", "/api/v1/recordings?wait=60", guarded.secrets["push"], body=body)
    assert answer.status == 200
    assert "label host=node7 added" in answer.json()["result"]


def test_a_running_server_knows_of_new_and_revoked_tokens(guarded: Guarded) -> None:
    store = guarded.server.store
    secret = perfduck("token", "add", "new", "--scope", "read", "--store", store).strip()
    assert guarded.ask("GET", "/api/v1/profiles", secret).status == 200
    assert perfduck("token", "revoke", "new", "--store", store) == "new: revoked\n"
    assert guarded.ask("GET", "/api/v1/profiles", secret).status == 401


def test_the_file_has_no_secret_and_no_other_user_can_read_it(guarded: Guarded) -> None:
    guarded.ask("GET", "/api/v1/profiles", guarded.secrets["read"])
    path = guarded.server.store.with_name("demo.duckdb.server") / "tokens.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    text = path.read_text()
    assert not any(secret in text for secret in guarded.secrets.values())
    log = guarded.server.store.with_suffix(".log")
    # A request is logged behind its answer.
    soon(lambda: json.loads(log.read_text().splitlines()[-1])["token"] == "read")
    logged = log.read_text()
    assert not any(secret in logged for secret in guarded.secrets.values())


def test_the_command_shows_tokens_once_and_lists_the_rest(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    none = perfduck("token", "revoke", "ci", "--store", store, code=2)
    assert none == "perfduck: ci: expected a token, got none; there are: none\n"
    assert list(tmp_path.iterdir()) == []
    ci = ("token", "add", "ci", "--scope", "read,push", "--label", "a=b", "--expires", "90d")
    assert perfduck(*ci, "--store", store).startswith("pdk_")
    listed = perfduck("token", "list", "--store", store)
    assert listed.startswith("ci: push, read; label a=b; expires 20")
    [row] = json.loads(perfduck("token", "list", "--store", store, "--format", "json"))
    assert (row["scopes"], row["expired"]) == (["push", "read"], False)
    taken = perfduck(*ci, "--store", store, code=2)
    assert taken == "perfduck: ci: expected a new name, got that of another token\n"
    wrong = perfduck("token", "add", "x", "--scope", "write", "--store", store, code=2)
    assert wrong == "perfduck: --scope: expected some of push,read,sql,admin, got write\n"
    gone = perfduck("token", "revoke", "x", "--store", store, code=2)
    assert gone == "perfduck: x: expected a token, got none; there are: ci\n"


@pytest.mark.parametrize("words", [["serve"], ["token", "list"], ["token", "revoke", "x"]])
def test_what_needs_a_path_says_where_a_url_was_set(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "perfduck: http://h:1: expected the path of a store to serve, got a URL"
    assert perfduck(*words, "--store", "http://h:1", code=2) == f"{line}\n"
    monkeypatch.setenv("PERFDUCK_STORE", "http://h:1")
    hint = " of $PERFDUCK_STORE (--store PATH goes before it)"
    assert perfduck(*words, code=2) == f"{line}{hint}\n"


@pytest.mark.parametrize("place", ["/", ".", "..", "", "no/s.duckdb", "md:x", "text"])
@pytest.mark.parametrize("words", [["list"], ["revoke", "x"], ["add", "x", "--scope", "read"]])
def test_where_no_store_can_be_there_are_no_tokens(
    place: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("hello\n")
    line = perfduck("token", *words, "--store", place, code=2)
    assert ": expected " in line
    assert line.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["text"]


def test_an_expired_token_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    words = ("token", "add", "old", "--scope", "read", "--expires", "0h", "--store", store)
    secret = perfduck(*words).strip()
    assert "; expired 20" in perfduck("token", "list", "--store", store)
    with running(store) as started:
        guarded = Guarded(started, {})
        assert guarded.ask("GET", "/api/v1/profiles", secret).status == 401


def test_another_address_needs_tokens(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    words = command(store, "--listen", "0.0.0.0:0")
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "expected tokens for an address that others can reach (perfduck token add" in done.stderr
    perfduck("token", "add", "ci", "--scope", "push", "--store", store)
    with running(store, "--listen", "0.0.0.0:0", "--anonymous", "read") as started:
        port = started.url.rpartition(":")[2]
        here = started._replace(url=f"http://127.0.0.1:{port}")
        assert Guarded(here, {}).ask("GET", "/api/v1/profiles").status == 200
        assert Guarded(here, {}).ask("POST", "/api/v1/recordings").status == 401


def test_the_last_token_that_is_revoked_opens_nothing(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    perfduck("token", "add", "ci", "--scope", "push", "--store", store)
    perfduck("token", "revoke", "ci", "--store", store)
    with running(store) as started:
        assert Guarded(started, {}).ask("GET", "/api/v1/profiles").status == 401


OTHER_SITES = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://["},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", OTHER_SITES, ids=str)
def test_pages_of_other_sites_change_nothing(server: Server, headers: dict[str, str]) -> None:
    guarded = Guarded(server, {})
    path = f"/api/v1/profiles/{'0' * 16}"
    assert guarded.ask("DELETE", path, headers=headers).status == 403
    assert guarded.ask("POST", "/api/v1/recordings", headers=headers).status == 403
    own = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
    assert guarded.ask("DELETE", path, headers=own).status == 404


def test_a_name_that_leads_to_an_open_server_is_refused(server: Server) -> None:
    guarded = Guarded(server, {})
    for name, status in (("evil.example", 403), ("localhost:1", 200), ("[::1]:80", 200)):
        assert guarded.ask("GET", "/api/v1/profiles", headers={"Host": name}).status == status


def test_a_host_that_is_no_host_is_a_line(server: Server) -> None:
    for name in ("[::1", "localhost:x"):
        answer = Guarded(server, {}).ask("GET", "/api/v1/profiles", headers={"Host": name})
        assert (answer.status, answer.json()) == (
            400,
            {"error": "Host: expected HOST or HOST:PORT, got another text"},
        )


def test_a_browser_logs_in_with_a_token(guarded: Guarded) -> None:
    page = guarded.ask("GET", "/api/v1/profiles?x=1", headers={"Accept": "text/html"})
    assert (page.status, page.headers["Location"]) == (
        303,
        "/login?next=%2Fapi%2Fv1%2Fprofiles%3Fx%3D1",
    )
    form = guarded.ask("GET", page.headers["Location"])
    assert b'value="/api/v1/profiles?x=1"' in form.data
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    body = "token=wrong&next=/"
    assert guarded.ask("POST", "/login", body=body, headers=kind).status == 401
    body = f"token={guarded.secrets['push']}&next=/"
    refused = guarded.ask("POST", "/login", body=body, headers=kind)
    assert refused.status == 403
    assert "Set-Cookie" not in refused.headers
    assert b'role="alert">token push: expected scope read, got push</p>' in refused.data
    body = f"token={guarded.secrets['read']}&next=//evil.example"
    done = guarded.ask("POST", "/login", body=body, headers=kind)
    assert (done.status, done.headers["Location"]) == (303, "/")
    cookie = done.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    held = {"Cookie": cookie.partition(";")[0]}
    assert guarded.ask("GET", "/api/v1/profiles", headers=held).status == 200
    page = guarded.ask("GET", "/profiles/0", headers=held | {"Accept": "text/html"})
    assert (page.status, b'role="alert">' in page.data) == (404, True)
    ended = {"Cookie": "perfduck_token=pdk_ended"}
    assert b"was revoked, or has expired" in guarded.ask("GET", "/login", headers=ended).data
    evil = held | {"Sec-Fetch-Site": "cross-site"}
    assert guarded.ask("POST", "/api/v1/sql", headers=evil).status == 403


def test_a_store_that_had_tokens_never_becomes_open(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    perfduck("token", "add", "ci", "--scope", "read", "--store", store)
    with running(store) as started:
        url = f"{started.url}/api/v1/profiles"
        assert HTTP.request("GET", url).status == 401
        shutil.rmtree(tmp_path / "s.duckdb.server")
        assert HTTP.request("GET", url).status == 401
    line = perfduck("serve", "--store", store, "--listen", "127.0.0.1:0", code=2)
    assert line.startswith(f"perfduck: {store}: expected tokens, as it was served with them before")
    secret = perfduck("token", "add", "new", "--scope", "read", "--store", store).strip()
    with running(store) as started:
        url, headers = f"{started.url}/api/v1/profiles", {"Authorization": f"Bearer {secret}"}
        assert HTTP.request("GET", url, headers=headers).status == 200
    copy = shutil.copy(store, tmp_path / "copy.duckdb")
    line = perfduck("serve", "--store", copy, "--listen", "127.0.0.1:0", code=2)
    assert "expected tokens" in line


def test_a_token_that_a_running_server_learns_of_is_remembered(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    with running(store) as started:
        url = f"{started.url}/api/v1/profiles"
        assert HTTP.request("GET", url).status == 200
        perfduck("token", "add", "ci", "--scope", "read", "--store", store)
        assert HTTP.request("GET", url).status == 401
        time.sleep(0.3)  # the store is marked beside the answer
    shutil.rmtree(tmp_path / "s.duckdb.server")
    line = perfduck("serve", "--store", store, "--listen", "127.0.0.1:0", code=2)
    assert "expected tokens, as it was served with them before" in line


def test_a_token_has_a_part_of_the_sessions(guarded: Guarded) -> None:
    begin = "/api/v1/store/sessions/read"
    answers = [guarded.ask("POST", begin, guarded.secrets["read"]) for _ in range(17)]
    assert [answer.status for answer in answers] == [200] * 16 + [503]
    assert (
        answers[-1].json()["error"] == "store: expected at most 16 sessions of read, got one more"
    )
    for answer in answers[:-1]:
        session = {"Perfduck-Session": answer.json()["session"]}
        path = "/api/v1/store/sessions"
        assert guarded.ask("DELETE", path, guarded.secrets["read"], headers=session).status < 300
    assert guarded.ask("POST", begin, guarded.secrets["read"]).status == 200
