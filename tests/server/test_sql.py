"""POST /api/v1/sql: one statement that reads, within limits, beside everything else."""

import io
import json
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
import urllib3
from rows import mostly_slow
from served import served
from servers import HTTP, Server

import perfduck
from perfduck.opening import place_of
from perfduck_store.edit import Edit

COUNT = "select count(*)::int as profiles from profile"
LABELLED = "select count(*)::int as profiles from profile where labels.a is not null"


def ask(url: str, query: str, path: str = "", **options: object) -> urllib3.BaseHTTPResponse:
    body = {"query": query, **options}
    return urllib3.request("POST", f"{url}/api/v1/sql{path}", json=body, timeout=60)


@pytest.mark.slow
def test_rows_come_as_json_with_types(server: Server) -> None:
    answer = ask(server.url, "select 1 as one, 'a' as word, 2.5::double as part, null as nothing")
    assert answer.status == 200
    assert answer.json() == {
        "columns": [
            {"name": "one", "type": "Int32"},
            {"name": "word", "type": "String"},
            {"name": "part", "type": "Float64"},
            {"name": "nothing", "type": "Null"},
        ],
        "rows": [{"one": 1, "word": "a", "part": 2.5, "nothing": None}],
    }


@pytest.mark.slow
def test_rows_come_as_csv_and_arrow(server: Server, demo_store: Path) -> None:
    query = "select name, work from profile order by name"
    expected = perfduck.open(demo_store).sql(query)
    assert ask(server.url, query, "?format=csv").data.decode() == expected.to_csv()
    assert pl.read_ipc(io.BytesIO(ask(server.url, query, "?format=arrow").data)).equals(
        expected.frame
    )


@pytest.mark.slow
def test_parameters_are_values(server: Server) -> None:
    answer = ask(server.url, "select $x || '!' as said, $n + 1 as n", parameters={"x": "a", "n": 1})
    assert answer.json()["rows"] == [{"said": "a!", "n": 2}]


@pytest.mark.slow
@pytest.mark.parametrize(
    "query",
    mostly_slow(
        [
            "insert into meta values (1)",
            "delete from profile",
            "create table x (a int)",
            "create temp table x (a int)",
            "attach '/tmp/x.duckdb'",
            "copy profile to '/tmp/x.csv'",
            "select * from '/etc/passwd'",
            "select * from read_csv('/etc/passwd')",
            "select * from glob('/*')",
            "select * from read_text('/proc/self/environ')",
            "load httpfs",
            "install httpfs",
            "set memory_limit = '1GB'",
            "pragma database_list",
            "call enable_logging()",
            "export database '/tmp/x'",
            "select 1; select 2",
            "",
            "select nothing from profile",
            "select $x",
        ],
        5,
    ),
)
def test_what_does_not_read_or_is_no_query_is_a_line(server: Server, query: str) -> None:
    answer = ask(server.url, query)
    assert answer.status == 422
    assert answer.json()["error"].startswith("sql")
    assert answer.json()["error"].count("\n") == 0


@pytest.mark.parametrize(
    "body",
    [
        {"query": "select 1", "timeout": 3600},
        {"query": "select 1", "timeout": 0},
        {"query": "select 1", "max_rows": 10_000_000},
        {"query": "select 1", "limit": 5},
        {"query": "select $x", "parameters": {"x": [1]}},
        {"query": "select $x", "parameters": {"x": 1 << 130}},
        {"queries": "select 1"},
        {},
    ],
)
def test_what_is_out_of_bounds_or_unknown_is_refused(server: Server, body: object) -> None:
    assert HTTP.request("POST", f"{server.url}/api/v1/sql", json=body).status == 422


@pytest.mark.slow
def test_rows_and_time_are_bounded(server: Server) -> None:
    rows = ask(server.url, "select * from range(20000)")
    assert rows.status == 422
    assert rows.json()["error"].startswith("sql: expected at most 10,000 rows")
    slow = "select sum(a.range * b.range % 7) from range(300000) a, range(300000) b"
    late = ask(server.url, slow, timeout=0.2)
    assert late.status == 422
    assert late.json()["error"].startswith("sql: stopped after 0.2 s")


@pytest.fixture
def own(demo_store: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    path = tmp_path / "own.duckdb"
    path.write_bytes(demo_store.read_bytes())
    with served(path) as url:
        yield url, path


@pytest.mark.slow
def test_a_query_sees_what_was_written_before_it(own: tuple[str, Path]) -> None:
    url, path = own
    store = perfduck.open(url)
    assert ask(url, COUNT).json()["rows"] == [{"profiles": 18}]
    store.remove("native.crr.1")
    assert ask(url, COUNT).json()["rows"] == [{"profiles": 17}]
    assert ask(url, COUNT).json()["rows"] == [{"profiles": 17}]
    copies = list((path.parent / "own.duckdb.server" / "snapshot").glob("*.duckdb"))
    assert len(copies) == 1, "those of before are gone"


@pytest.mark.slow
def test_a_query_does_not_wait_for_who_writes(own: tuple[str, Path]) -> None:
    url, _ = own
    assert ask(url, COUNT).status == 200

    with place_of(url).write() as store, store.transaction():
        [first, *_] = store.profiles.all()
        store.profiles.edit(first.profile_id, Edit(labels={"a": "b"}))
        assert ask(url, LABELLED).json()["rows"] == [{"profiles": 0}]
    assert ask(url, LABELLED).json()["rows"] == [{"profiles": 1}]


@pytest.mark.slow
def test_json_is_that_of_the_command(server: Server, demo_store: Path) -> None:
    query = "select * from profile order by name"
    expected = json.loads(perfduck.open(demo_store).sql(query).to_json())
    assert ask(server.url, query).json()["rows"] == expected


RUNAWAY = (
    "select sum(a.range * b.range % 7) from range(300000) a, range(300000) b",
    "select length(repeat('x', 4000000000))",
    "with recursive t(n) as (select 1 union all select n + 1 from t) select max(n) from t",
    "select levenshtein(repeat('a', 200000), repeat('b', 200000))",
    "select count(*) from hit a, hit b, hit c",
)


@pytest.mark.slow
def test_runaway_statements_end_and_other_requests_are_answered(own_server: Server) -> None:
    """20 at once: what runs is ended at its limit, what waits for too long is sent away."""
    url = own_server.url
    with ThreadPoolExecutor(20) as pool:
        ends = [pool.submit(ask, url, RUNAWAY[n % 5], timeout=2) for n in range(20)]
        times = []
        while not all(each.done() for each in ends):
            start = time.perf_counter()
            assert urllib3.request("GET", f"{url}/healthz", timeout=30).status == 200
            assert urllib3.request("GET", f"{url}/api/v1/profiles", timeout=30).status == 200
            times.append(time.perf_counter() - start)
            assert resident_mb(own_server.process.pid) < 700
            time.sleep(0.1)
    answers = [each.result() for each in ends]
    assert {each.status for each in answers} <= {422, 503}
    assert any(each.status == 422 for each in answers)
    assert all(each.headers["Retry-After"] for each in answers if each.status == 503)
    assert sorted(times)[len(times) * 95 // 100] < 1, "a loaded machine; 0.1 s on a quiet one"
    assert ask(url, COUNT).json()["rows"] == [{"profiles": 18}]


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6
