"""Pages without a browser: what is there, who may see what, and what links and queries keep."""

import gzip
import html
import re
import shutil
from pathlib import Path

import msgspec
import pytest
import urllib3
from served import served
from servers import HTTP, Server, running
from typer.testing import CliRunner

import perfduck
from perfduck_cli.main import app
from perfduck_server.links import Links, PinnedDiff
from perfduck_server.page_sql import examples
from perfduck_server.read_api import QUESTIONS
from perfduck_server.tokens import TokenFile
from perfduck_store.duckdb.documentation import tables
from perfduck_store.duckdb.store import DuckDbStore

pytestmark = pytest.mark.slow

PROFILES = """
insert into profile by name
select n as profile_id, printf('run%03d', n) as name, 'x' as format, '-' as source,
    n as content_hash, 0 as lost, map {'n': n::varchar} as labels,
    timestamp '2026-01-01' + n * interval 1 hour as ingested_at
from range(203) as numbers(n)"""
ask = QUESTIONS["diff"].asked
MOST = (1 << 20, 1 << 20)  # bytes of links
DIFF = {"base": "native.crr.*", "new": "docker0-nat.crr.*"}


def get(server: Server, path: str, token: str = "") -> urllib3.BaseHTTPResponse:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return HTTP.request("GET", server.url + path, headers=headers, redirect=False)


def test_no_page_has_a_style_or_script_of_its_own(server: Server) -> None:
    profile = get(server, "/api/v1/profiles?selector=native.crr.1").json()[0]["id"]
    diff = "/diff?base=native.crr.*&new=docker0-nat.crr.*"
    trend = "/trend?selector=*&over=scenario"
    for path in ("/", f"/profiles/{profile}", "/diff", diff, "/compare", trend, "/sql"):
        answer = get(server, path)
        page = answer.data.decode()
        assert answer.status == 200, path
        assert "<style" not in page
        assert not re.search(r"\s(style|on\w+)=", page)
        scripts = re.findall(r"<script([^>]*)>", page)
        assert all("src=" in each or 'type="application/json"' in each for each in scripts)
        assert "'unsafe" not in answer.headers["content-security-policy"]
        for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
            assert get(server, address).status == 200


def test_every_part_of_a_page_is_of_this_server(server: Server) -> None:
    found = set()
    for path in ("/", "/sql", "/diff?base=native.crr.*&new=docker0-nat.crr.*"):
        found |= set(
            re.findall(r'(?:src|href|action)="([a-z]+:[^"]*)"', get(server, path).data.decode())
        )
    assert found == {"data:,"}


def test_an_address_of_nothing_is_a_page_to_a_browser(server: Server) -> None:
    accept = {"Accept": "text/html,*/*"}
    for path, kind in (("/nope", "text/html; charset=utf-8"), ("/api/nope", "application/json")):
        answer = HTTP.request("GET", server.url + path, headers=accept)
        assert (answer.status, answer.headers["content-type"]) == (404, kind)
        assert f"GET {path}: not found" in answer.data.decode()


def test_a_diff_does_not_ignore_what_was_typed_without_sides(server: Server) -> None:
    for asked, line in (("bas=x", "unknown parameter bas; did you mean base?"),
                        ("where=run=1", "base: expected a value, got none")):  # fmt: skip
        answer = get(server, f"/diff?{asked}")
        assert (answer.status, line in answer.data.decode()) == (422, True)


def test_a_reader_sees_nothing_that_changes(demo_store: Path, tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    path.write_bytes(demo_store.read_bytes())
    made = CliRunner().invoke(app, ["token", "add", "eve", "--scope", "read", "--store", str(path)])
    token = re.search(r"pdk_\S+", made.output)[0]
    with running(path) as server:
        page = get(server, "/", token).data.decode()
        assert "data-edit" not in page
        assert 'id="drop"' not in page
        assert "eve" in page
        assert "Queries need a token with scope sql" in get(server, "/sql", token).data.decode()
        assert "Saved" not in get(server, "/sql", token).data.decode()
        assert get(server, "/api/v1/queries", token).status == 403
        for path in ("/", "/diff", "/sql", "/d/0123456789ab", "/compare", "/profiles/0"):
            assert get(server, path).status in (303, 401)


def test_an_empty_page_says_who_may_push(tmp_path: Path) -> None:
    path, tokens = tmp_path / "s.duckdb", {}
    for name, scope in (("eve", "read"), ("ci", "read,push")):
        words = ["token", "add", name, "--scope", scope, "--store", str(path)]
        tokens[name] = re.search(r"pdk_\S+", CliRunner().invoke(app, words).output)[0]
    with running(path, "--anonymous", "read") as server:
        assert "that of eve has read." in get(server, "/", tokens["eve"]).data.decode()
        anonymous = get(server, "/").data.decode()
        assert "without a token you may read." in anonymous
        assert "Log in" in anonymous
        line = html.unescape(get(server, "/", tokens["ci"]).data.decode())
        assert (
            f'curl -H "Authorization: Bearer $PERFDUCK_TOKEN" -T run.txt.xz \'{server.url}' in line
        )


def test_the_first_page_is_newest_first_and_in_parts(tmp_path: Path) -> None:
    with DuckDbStore(tmp_path / "many.duckdb", write=True) as store:
        store.execute(PROFILES)
    with running(tmp_path / "many.duckdb") as server:
        first, second = (get(server, f"/?page={number}").data.decode() for number in (1, 2))
        assert first.count('class="name"') == 200
        assert second.count('class="name"') == 3
        assert first.index("run202") < first.index("run201")
        assert "page 1 of 2" in first
        assert get(server, "/?page=0").status == 422


def test_the_first_page_counts_the_values_that_it_has_no_room_for(tmp_path: Path) -> None:
    with DuckDbStore(tmp_path / "many.duckdb", write=True) as store:
        store.execute(PROFILES)
    with running(tmp_path / "many.duckdb") as server:
        page = get(server, "/").data.decode()
        assert page.count('href="/?label=n%3D') == 12
        assert "<small>and 191 other values</small>" in page


def test_an_unknown_parameter_of_the_first_page_is_said_and_no_list_shown(server: Server) -> None:
    answer = get(server, "/?lable=x")
    page = answer.data.decode()
    assert answer.status == 422
    assert "unknown parameter lable; did you mean label? there are label, text, page" in page
    assert "No recording has that" not in page
    assert "0 recordings" not in page


def test_a_name_leads_to_the_page_of_its_id(server: Server) -> None:
    profile = get(server, "/api/v1/profiles?selector=native.crr.1").json()[0]["id"]
    answer = get(server, "/profiles/native.crr.1?comm=nginx")
    assert (answer.status, answer.headers["location"]) == (303, f"/profiles/{profile}?comm=nginx")
    for name, line in (
        ("nativ.crr.1", "did you mean native.crr.1?"),
        ("native.crr.*", "profiles:"),
    ):
        answer = get(server, f"/profiles/{name}")
        assert (answer.status, line in answer.data.decode()) == (404, True)


def test_facts_have_whole_work_without_a_decimal(server: Server) -> None:
    [row] = get(server, "/api/v1/profiles?selector=native.crr.1").json()
    page = get(server, f"/profiles/{row['id']}").data.decode()
    assert f"<dt>Work</dt><dd>{row['work']:,.0f} {row['work_unit']}s</dd>" in page


def test_a_comparison_has_its_doubts_as_a_diff_has_them(server: Server) -> None:
    for path in (
        "/compare?selector=scenario=native&over=workload",
        "/diff?base=native.crr.1&new=native.udp64.1",
    ):
        page = get(server, path).data.decode()
        [doubts] = re.findall(r'<ul class="reasons">.*?</ul>', page, re.DOTALL)
        assert re.search(r'<li class="blocks"><b>Blocks the verdict:</b> .*CPU-second', doubts)


def test_the_first_page_has_work_that_is_no_number_of_packets(tmp_path: Path) -> None:
    with DuckDbStore(tmp_path / "odd.duckdb", write=True) as store:
        store.execute(PROFILES)
        store.execute("update profile set work = 'inf', work_unit = 'packet' where name = 'run202'")
        store.execute("update profile set work = 7944, work_unit = 'packet' where name = 'run201'")
    with running(tmp_path / "odd.duckdb") as server:
        answer = get(server, "/")
        page = answer.data.decode()
        assert answer.status == 200
        assert 'data-work="inf"' in page
        assert 'data-work="7944"' in page
        assert "7,944 packets" in page


def test_a_link_is_the_same_for_the_same_question_and_kept_whole(
    demo_store: Path, tmp_path: Path
) -> None:
    store, links = perfduck.open(demo_store), Links(tmp_path / "links", *MOST)
    made = links.pin(store, DIFF | {"where": ["run=1"], "tolerance": "3%"}, ask)
    again = links.pin(
        store, {"base": "native.crr.1", "new": "docker0-nat.crr.1", "tolerance": "3%"}, ask
    )
    other = links.pin(
        store, {"base": "native.crr.1", "new": "docker0-nat.crr.1", "tolerance": "4%"}, ask
    )
    assert made.key == again.key != other.key
    pinned, answer = links.pinned(made.key)
    assert pinned == made
    found = store.diff("native.crr.1", "docker0-nat.crr.1", tolerance="3%")
    assert answer.data == found.data
    assert answer.to_html() == found.to_html()
    assert list(pinned.profiles["base"].values()) == ["native.crr.1"]
    by_ids = store.diff(pinned.selector("base"), pinned.selector("new"), tolerance="3%")
    assert by_ids.to_json() == found.to_json()
    file = tmp_path / "links" / f"{made.key}.json"
    assert msgspec.json.decode(file.read_bytes(), type=PinnedDiff) == made
    assert {each.stat().st_mode & 0o777 for each in file.parent.iterdir()} == {0o600}


def test_readers_without_a_token_leave_room_for_links_of_those_with_one(
    demo_store: Path, tmp_path: Path
) -> None:
    store = Path(shutil.copy(demo_store, tmp_path / "s.duckdb"))
    secret = TokenFile(Path(f"{store}.server")).add("team", ["read"], {}, None)
    token = {"Authorization": f"Bearer {secret}"}

    def make(tolerance: int, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        path = f"{url}/d?base=native.crr.*&new=docker0-nat.crr.*&tolerance={tolerance}%25"
        return HTTP.request("POST", path, headers=headers, redirect=False)

    with served(
        store, anonymous_read=True, most_anonymous_links_bytes=1, most_links_bytes=120_000
    ) as url:
        assert make(3, {}).status == 303
        full = make(4, {})
        assert full.status == 507
        assert b"expected a token, or less than" in full.data
        assert make(3, {}).status == 303  # there is this one
        made = [make(tolerance, token).status for tolerance in range(4, 9)]
        assert made[0] == 303
        assert made[-1] == 507


def test_a_budget_of_a_link_is_a_text_and_never_a_file(
    demo_store: Path, tmp_path: Path, server: Server
) -> None:
    secret = tmp_path / "secret.toml"
    secret.write_text('[budget]\ntotal = "1 %"\n')
    store, links = perfduck.open(demo_store), Links(tmp_path / "links", *MOST)
    for budget in (str(secret), "/etc/passwd"):
        with pytest.raises(perfduck.PerfduckError, match="budget: expected a budget file in TOML"):
            links.pin(store, DIFF | {"budget": budget}, ask)
    answer = HTTP.request(
        "POST", f"{server.url}/d?base=native.crr.*&new=docker0-nat.crr.*&budget={secret}",
        redirect=False,
    )  # fmt: skip
    assert answer.status == 422
    assert answer.headers["content-type"].startswith("text/html")  # a form sent it
    made = links.pin(store, DIFF | {"budget": secret.read_text()}, ask)
    assert links.pinned(made.key)[1].data.budgets[0].name == "total"


def test_an_answer_of_another_version_is_said(demo_store: Path, tmp_path: Path) -> None:
    links = Links(tmp_path / "links", *MOST)
    made = links.pin(perfduck.open(demo_store), DIFF, ask)
    file = tmp_path / "links" / f"{made.key}.answer.gz"
    file.write_bytes(gzip.compress(msgspec.msgpack.encode({"diff": {"unit": 7}})))
    with pytest.raises(perfduck.PerfduckError, match="expected an answer of perfduck"):
        links.pinned(made.key)


@pytest.mark.parametrize("key", ["0123456789ab", "..", "x" * 12, "0123456789AB"])
def test_a_link_that_was_never_made_is_said(tmp_path: Path, key: str) -> None:
    with pytest.raises(perfduck.NoProfileError, match="a link that was made here"):
        Links(tmp_path, *MOST).pinned(key)


def test_saved_queries_are_kept_over_http(own_server: Server) -> None:
    address = f"{own_server.url}/api/v1/queries"

    def put(name: str, query: str) -> int:
        return HTTP.request("PUT", f"{address}/{name}", json={"query": query}).status

    assert put("busiest", "select 1") == put("busiest", "select 2") == 204
    assert get(own_server, "/api/v1/queries").json() == {"busiest": "select 2"}
    assert put("..%2Fx", "select 1") in (404, 422)
    assert put(".hidden", "select 1") == 422
    assert put("long", "x" * 200_000) == 422
    assert HTTP.request("DELETE", f"{address}/busiest").status == 204
    assert HTTP.request("DELETE", f"{address}/busiest").status == 404


def test_the_examples_are_those_of_the_page_and_run(server: Server) -> None:
    assert len(examples()) == 10
    for title, query in examples():
        assert title
        assert not title.endswith(":")
        answer = HTTP.request("POST", f"{server.url}/api/v1/sql", json={"query": query})
        assert answer.status == 200, query
        assert answer.json()["rows"]


def test_tables_are_described_as_they_are(server: Server) -> None:
    query = "select table_name, list(column_name order by column_index) as columns from duckdb_columns() where not internal group by all"  # noqa: E501
    url = f"{server.url}/api/v1/sql"
    answer = urllib3.request("POST", url, json={"query": query}, timeout=60).json()
    real = {row["table_name"]: row["columns"] for row in answer["rows"]}
    described = {table.name: [column.name for column in table.columns] for table in tables()}
    assert described == real
