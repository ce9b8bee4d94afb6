"""Looking after a server: health, metrics, log, backup, retention, edits."""

import json
import resource
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import urllib3
from servers import HTTP, Server, running, soon

import perfduck
from perfduck import PerfduckError
from perfduck_server.raw_files import RawFiles
from perfduck_server.retention import Retention, rules_of
from perfduck_server.spool import Spool

pytestmark = pytest.mark.slow  # servers of their own, and processes that ask them

TEXT = Path(__file__).parents[2] / "fixtures" / "demo" / "native.udp64.1.txt.xz"


def ask(server: Server, method: str, path: str, **options):
    return urllib3.request(method, f"{server.url}{path}", timeout=60, **options)


def id_of(server: Server, selector: str) -> str:
    [row] = ask(server, "GET", f"/api/v1/profiles?selector={selector}&format=json").json()
    return row["id"]


def test_health_says_that_the_store_can_be_read(server: Server) -> None:
    answer = ask(server, "GET", "/healthz")
    assert (answer.status, answer.json()["status"]) == (200, "ok")
    assert answer.json()["disk_free_bytes"] > 0


def test_metrics_count_requests_by_route(server: Server) -> None:
    ask(server, "GET", f"/api/v1/jobs/{'0' * 28}")
    text = ask(server, "GET", "/metrics").data.decode()
    assert 'perfduck_requests_total{method="GET",route="/api/v1/jobs/{job}",status="404"}' in text
    assert "perfduck_profiles 18.0" in text
    assert 'perfduck_pushes_total{state="stored"}' in text
    assert "perfduck_disk_free_bytes" in text


def test_each_request_is_a_line_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"
    with running(tmp_path / "s.duckdb", "--access-log", str(log)) as started:
        ask(started, "GET", "/api/v1/profiles?format=json")
        ask(started, "GET", "/nowhere%0a")
        ask(started, "GET", "/%c2%9b31m%7f%e2%80%ae", headers={"X-Forwarded-For": "\x9b31m"})
    text = log.read_text()
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["path"], line["status"]) for line in lines] == [
        ("/api/v1/profiles", 200),
        ("/nowhere\n", 404),
        ("/\x9b31m\x7f\u202e", 404),
    ]
    assert lines[0]["query"] == "format=json"
    assert lines[0]["client"] == "127.0.0.1"


def test_a_log_that_cannot_be_written_ends_no_request(tmp_path: Path) -> None:
    pool = urllib3.PoolManager(1, timeout=60, retries=False)  # all on one connection
    with running(tmp_path / "s.duckdb", "--access-log", "/dev/full") as started:
        asked = [pool.request("GET", f"{started.url}/healthz") for _ in range(20)]
        assert [answer.status for answer in asked] == [200] * 20
        assert started.stop() == 0
    said = (tmp_path / "s.log").read_text()
    assert said == "perfduck: lines of the access log are lost: No space left on device\n"


def test_a_backup_of_a_server_that_goes_on_is_a_store(own_server: Server, tmp_path: Path) -> None:
    answer = ask(own_server, "GET", "/api/v1/backup")
    assert answer.status == 200
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(answer.data)
    assert len(perfduck.open(copy).names()) == 18
    assert list(own_server.store.with_name("demo.duckdb.server").glob("backup/*")) == []
    assert (
        ask(own_server, "POST", "/api/v1/recordings?wait=60", body=TEXT.read_bytes()).status == 200
    )


def test_a_profile_is_edited_and_removed(own_server: Server) -> None:
    key = id_of(own_server, "native.udp64.1")
    path = f"/api/v1/profiles/{key}"
    answer = ask(own_server, "PATCH", path, json={"name": "n", "labels": {"a": "b"}})
    assert (answer.status, answer.json()["result"]) == (
        200,
        "n: renamed from native.udp64.1, label a=b added",
    )
    refused = ask(own_server, "PATCH", path, json={"name": "native.udp64.2"})
    assert refused.status == 422
    assert "another recording is stored as" in refused.json()["error"]
    assert ask(own_server, "PATCH", path, json={"nmae": "n"}).status == 422
    assert ask(own_server, "DELETE", path).status == 200
    assert ask(own_server, "DELETE", path).status == 404


def test_what_is_wrong_with_a_request_is_a_line(server: Server) -> None:
    answer = ask(server, "PATCH", f"/api/v1/profiles/{'0' * 16}", json={"work": -1})
    assert (answer.status, answer.json()) == (
        422,
        {"error": "work: input should be greater than or equal to 0.000000001, got -1"},
    )
    answer = ask(server, "DELETE", "/api/v1/profiles/x")
    assert answer.json()["error"].startswith("profile: string should match pattern")
    assert ask(server, "GET", "/nowhere").json() == {"error": "GET /nowhere: not found"}
    assert ask(server, "POST", "/healthz").json() == {"error": "POST /healthz: method not allowed"}


@pytest.mark.parametrize(
    "edit",
    [{"name": "\ud800"}, {"labels": {"a": "\ud800"}}, {"labels": {"\udfff": "a"}},
     {"work": 1, "unit": "\ud800"}, {"unlabel": ["\ud800"]}, {"name": "n" * 4097}],
)  # fmt: skip
def test_a_text_that_no_store_can_hold_is_a_line(server: Server, edit: dict[str, object]) -> None:
    path = f"/api/v1/profiles/{id_of(server, 'native.udp64.1')}"
    headers = {"Content-Type": "application/json"}
    answer = ask(server, "PATCH", path, body=json.dumps(edit), headers=headers)
    assert answer.status == 422
    assert " should " in answer.json()["error"]


def test_every_answer_has_a_strict_policy(server: Server) -> None:
    for path in ("/healthz", "/nowhere", "/login", "/metrics", "/openapi.json"):
        policy = ask(server, "GET", path).headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self';" in policy
        assert not {"unsafe-inline", "unsafe-eval", "http", "*"} & set(
            policy.replace("'", " ").split()
        )


@pytest.fixture
def aged(demo_store: Path, tmp_path: Path) -> tuple[perfduck.ProfileStore, RawFiles, Spool]:
    path = tmp_path / "demo.duckdb"
    shutil.copy(demo_store, path)
    return perfduck.open(path), RawFiles(tmp_path), Spool(tmp_path)


def test_the_first_rule_that_fits_applies(aged, tmp_path: Path) -> None:
    store, raw, spool = aged
    store.edit("native.udp64.1", labels={"branch": "main"})
    for row in json.loads(store.profiles("scenario=native").to_json()):
        body = tmp_path / row["id"]
        body.mkdir()
        (body / "run.xz").write_bytes(b"raw")
        raw.keep(body, "run.xz", row["id"])
    rules = rules_of(["branch=main keep", "scenario=native 30d", "raw branch=main 60d"])
    retention = Retention(rules, store, raw, spool)
    now = datetime.now(UTC).replace(tzinfo=None)
    retention.apply(now + timedelta(days=29))
    assert len(store.names()) == 18
    assert len(raw.profiles()) == 6
    retention.apply(now + timedelta(days=31))
    native = [name for name in store.names() if name.startswith("native.")]
    assert native == ["native.udp64.1"]
    assert len(store.names()) == 13
    assert len(raw.profiles()) == 1
    retention.apply(now + timedelta(days=61))
    assert raw.profiles() == []
    assert "native.udp64.1" in store.names()


def test_rules_are_applied_again_and_again(aged, monkeypatch: pytest.MonkeyPatch) -> None:
    retention, applied = Retention((), *aged, every_s=0.001), []
    monkeypatch.setattr(retention, "apply", applied.append)
    retention.start()
    try:
        soon(lambda: len(applied) > 2)
    finally:
        retention.close()
    assert applied == sorted(applied)


def test_what_fails_stops_nothing_else(aged, monkeypatch: pytest.MonkeyPatch) -> None:
    store, raw, spool = aged
    remove, forgotten = store.remove, []

    def refuse_one(selector: str) -> object:
        if selector == one:
            raise PerfduckError.at(where="store", expected="it free", got="busy")
        return remove(selector)

    one = f"id:{json.loads(store.profiles('native.udp64.1').to_json())[0]['id']}"
    monkeypatch.setattr(store, "remove", refuse_one)
    monkeypatch.setattr(spool, "forget_old", lambda: forgotten.append(1))
    retention = Retention(rules_of(["scenario=native 1d"]), store, raw, spool)
    retention.apply(datetime.now(UTC).replace(tzinfo=None) + timedelta(days=2))
    assert [name for name in store.names() if name.startswith("native.")] == ["native.udp64.1"]
    assert forgotten


def test_rules_after_one_that_fails_remove_nothing(aged, monkeypatch: pytest.MonkeyPatch) -> None:
    store, raw, spool = aged
    profiles, forgotten = store.profiles, []

    def refuse_one(selector: str) -> object:
        if selector == "scenario=native":
            raise PerfduckError.at(where="store", expected="it free", got="busy")
        return profiles(selector)

    monkeypatch.setattr(store, "profiles", refuse_one)
    monkeypatch.setattr(spool, "forget_old", lambda: forgotten.append(1))
    retention = Retention(rules_of(["scenario=native keep", "* 1d"]), store, raw, spool)
    retention.apply(datetime.now(UTC).replace(tzinfo=None) + timedelta(days=2))
    assert len(store.names()) == 18
    assert forgotten


@pytest.mark.parametrize("text", ["", "pr=*", "pr=* 30", "raw 30d", "keep", "a+ 30d"])
def test_what_is_no_rule_is_a_line(text: str) -> None:
    with pytest.raises(PerfduckError, match="--retention"):
        rules_of([text])


def test_a_server_whose_folder_was_removed_is_not_well(own_server: Server) -> None:
    assert HTTP.request("GET", f"{own_server.url}/healthz").status == 200  # it has started
    shutil.rmtree(own_server.store.with_name(f"{own_server.store.name}.server"))
    line = "spool: expected a directory (start the server again), got none"
    health = HTTP.request("GET", f"{own_server.url}/healthz")
    assert (health.status, line in health.json()["status"]) == (503, True)
    push = HTTP.request("POST", f"{own_server.url}/api/v1/recordings", body=b"x")
    assert (push.status, line in push.json()["error"]) == (503, True)
    assert ask(own_server, "POST", "/api/v1/sql", json={"query": "select 1"}).status == 503
    link = f"{own_server.url}/d?base=native.crr.1&new=native.crr.2"
    page = HTTP.request("POST", link, headers={"Accept": "text/html"})
    assert (page.status, b'role="alert">' in page.data, line.encode() in page.data) == (
        503, True, True,
    )  # fmt: skip


def test_a_full_disk_is_said_and_what_was_kept_stays(empty_server: Server) -> None:
    """A file that must not grow is the full disk of this test."""
    process, unlimited = empty_server.process.pid, resource.RLIM_INFINITY
    question, saved = {"query": "select 3 as n"}, "/api/v1/queries/mine"
    assert ask(empty_server, "PUT", saved, json=question).status == 204
    assert ask(empty_server, "GET", "/api/v1/backup").status == 200  # all is in the file now
    limits = resource.RLIMIT_FSIZE
    resource.prlimit(process, limits, (empty_server.store.stat().st_size - 4096, unlimited))
    copied = (
        ask(empty_server, "GET", "/api/v1/backup"),
        ask(empty_server, "POST", "/api/v1/sql", json=question),
    )
    resource.prlimit(process, limits, (1000, unlimited))
    for answer in (*copied, ask(empty_server, "PUT", saved, json={"query": "x" * 1001})):
        assert (answer.status, "expected room on the" in answer.json()["error"]) == (507, True)
    resource.prlimit(process, limits, (unlimited, unlimited))
    assert ask(empty_server, "GET", "/api/v1/backup").status == 200
    assert ask(empty_server, "GET", "/api/v1/queries").json() == {"mine": question["query"]}
