"""`import perfduck`: what every command does, as a method that answers with typed results."""

import json
import re
import subprocess
import sys
from datetime import timedelta
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from recordings import FIXTURES
from typer.testing import CliRunner

import perfduck
from perfduck_cli.main import app

pytestmark = pytest.mark.slow

DEMO = FIXTURES / "demo"
SIDES = ("scenario=native", "scenario=docker0-nat")
UDP = "workload=udp64"


@pytest.fixture(scope="module")
def path(demo_store: Path) -> Path:
    """A store of the demo's recordings that no test changes."""
    assert len(perfduck.open(demo_store).names()) >= 18
    return demo_store


def printed(path: Path, *words: str) -> str:
    """What the command prints."""
    return CliRunner().invoke(app, [*words, "--store", str(path)]).stdout


def test_the_import_loads_nothing_that_takes_time() -> None:
    heavy = ("polars", "numpy", "duckdb", "scipy", "rich", "jinja2", "typer")
    code = (
        "import sys, perfduck; perfduck.open('x.duckdb');"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_public_name_is_there() -> None:
    for name in perfduck.__all__:
        assert hasattr(perfduck, name)
    assert set(perfduck.__all__) <= set(dir(perfduck))
    with pytest.raises(AttributeError, match="has no attribute 'opne'"):
        _ = perfduck.opne  # type: ignore[attr-defined]


@pytest.mark.parametrize("url", ["lake:s3://", "lake:gs://b/p", "lake:"])
def test_other_kinds_of_lakes_are_refused_in_a_line(url: str) -> None:
    with pytest.raises(perfduck.PerfduckError) as raised:
        perfduck.open(url)
    assert str(raised.value).startswith(
        f"{url}: expected lake:DIRECTORY or lake:s3://BUCKET/PREFIX, got"
    )


def test_a_diff_answers_with_what_the_command_prints(path: Path) -> None:
    with perfduck.open(path) as store:
        found = store.diff(*SIDES, where=UDP)
    command = ("diff", *SIDES, "--where", UDP)
    assert found.to_text() == str(found) == printed(path, *command)
    for format, text in {
        "json": found.to_json(),
        "markdown": found.to_markdown(),
        "junit": found.to_junit(),
        "html": found.to_html(),
    }.items():
        assert text == printed(path, *command, "--format", format)
    assert found.to_text("function") == printed(path, *command, "--by", "function")
    assert found.to_text(explain=True) == printed(path, *command, "--explain")


def test_a_diff_is_typed_with_frames(path: Path) -> None:
    found = perfduck.open(path).diff(*SIDES, where=[UDP], tolerance="5%")
    answer = json.loads(found.to_json())
    assert (found.verdict, found.exit_code) == ("regression", 1)
    assert found.total.delta == pytest.approx(answer["total"]["delta"])
    assert found.subsystems["delta"].to_list() == [row["delta"] for row in answer["subsystems"]]
    assert found.functions["function"].to_list() == [r["function"] for r in answer["functions"]]
    assert [claim.rank for claim in found.claims] == [row["rank"] for row in answer["claims"]]
    assert found.unit == answer["unit"] == "ns/packet"


def test_filters_are_those_of_the_command(path: Path) -> None:
    store = perfduck.open(path)
    found = store.top(
        "native.*", by="subsystem", limit=4, comm="iperf3*", cpu="0-1", skip="500ms", until=2
    )
    typed = ("--by", "subsystem", "--limit", "4", "--comm", "iperf3*", "--cpu", "0-1")
    times = ("--skip", "500ms", "--until", "2s")
    for format in ("text", "markdown", "csv", "json"):
        command = ("top", "native.*", *typed, *times, "--format", format)
        assert found.render(format) == printed(path, *command)
    assert len(found) == len(found.frame) == 4
    assert store.top("native.*", cpu=[0, 1]).frame.equals(store.top("native.*", cpu="0-1").frame)


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"cpu": "x"}, "--cpu x: expected CPUs like 0, 0-3 or 0,2"),
        ({"skip": -1.0}, "--skip -1.0: expected a time like 1s or 500ms"),
        ({"skip": "2s", "until": "1s"}, "--until 1s: expected a time after --skip 2s"),
        ({"comm": ""}, "--comm: expected a name or a glob, got nothing"),
        ({"where": "workload=nope"}, "workload=nope: expected a profile name, glob or label"),
    ],
)
def test_a_filter_that_is_none_is_refused(path: Path, filters: Any, said: str) -> None:
    with pytest.raises(perfduck.PerfduckError, match=re.escape(said)):
        perfduck.open(path).top("native.*", **filters)


def test_a_keyword_that_no_method_has_is_no_filter(path: Path, tmp_path: Path) -> None:
    store: Any = perfduck.open(path)
    with pytest.raises(TypeError, match="unexpected keyword argument 'wher'"):
        store.top("native.*", wher=UDP)
    with pytest.raises(TypeError, match="unexpected keyword argument 'lables'"):
        store.ingest("x.data", lables={"a": "b"})
    with pytest.raises(TypeError, match="unexpected keyword argument 'rule'"):
        store.tag(rule="x.csv")


def test_calls_compare_export_and_budgets(path: Path) -> None:
    store = perfduck.open(path)
    calls = store.calls("docker0*", "nf_hook_slow", side="callees", limit=5)
    command = ("top", "docker0*", "nf_hook_slow", "--by", "callees", "--limit", "5")
    assert calls.to_text() == printed(path, *command)
    assert calls.frame.columns[:3] == ["function", "dso", "subsystem"]
    groups = store.compare(UDP, "scenario")
    assert groups.to_text() == printed(path, "compare", UDP, "--over", "scenario")
    totals = groups.frame.filter(subsystem="total")
    assert totals["group"].to_list() == list(groups.groups)
    assert totals["value"].to_list() == [cell.value for cell in groups.data.total]
    stacks = store.export("native.udp64.1")
    assert stacks.text == printed(path, "export", "native.udp64.1")
    assert store.export("native.udp64.1", "html").text.startswith("<!doctype html>")
    budget = store.suggest_budget("native.udp64.*", keep=0.9, runs=3)
    command = ("budget", "suggest", "native.udp64.*", "--keep", "90%", "--runs", "3")
    assert budget.to_toml() == printed(path, *command)
    with pytest.raises(perfduck.PerfduckError, match="expected less than 100%"):
        store.suggest_budget("native.udp64.*", keep=1.0)


def test_tables_are_frames(path: Path) -> None:
    store = perfduck.open(path)
    profiles = store.profiles(UDP)
    assert profiles.to_text() == printed(path, "profiles", UDP)
    assert profiles.frame["samples"].dtype == pl.Int64
    assert set(profiles.frame["labels"].struct.field("workload")) == {"udp64"}
    rows = store.sql("select name, $n + 1 as n from profile order by name", {"n": 41})
    assert rows.frame["n"].to_list() == [42] * len(rows)
    assert rows.to_csv().splitlines()[1].endswith(",42")
    with pytest.raises(perfduck.PerfduckError, match="expected one query that reads"):
        store.sql("delete from profile")


class _Tags(HTMLParser):
    """Every tag and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_notebook_shows_escaped_tables(path: Path) -> None:
    store = perfduck.open(path)
    hostile = "<script>alert(1)</script>"
    page = _Tags(store.sql("select $a as name, 1 as n", {"a": hostile})._repr_html_())
    assert "script" not in page.tags
    assert hostile in page.texts
    for answer in (
        store.diff(*SIDES, where=UDP),
        store.top("native.*"),
        store.compare(UDP, "scenario"),
    ):
        page = _Tags(answer._repr_html_())
        assert {"table", "th", "td"} <= set(page.tags)
    found = store.diff(*SIDES, where=UDP)
    assert any(text.startswith("regression: significant growth") for text in page.texts) or (
        "regression" in found._repr_html_()
    )


def test_an_error_says_where_what_was_expected_and_what_was_there() -> None:
    error = perfduck.PerfduckError.at("x.csv:1", expected="a number", got="none")
    assert str(error) == "x.csv:1: expected a number, got none"


def test_the_library_leaves_the_process_as_it_is(tmp_path: Path) -> None:
    code = """if True:
        import gc, os, signal, sys
        import duckdb, polars  # which sets a variable of its own
        before = gc.get_threshold(), gc.get_freeze_count(), dict(os.environ)
        signals = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGPIPE)]
        import perfduck
        store = perfduck.open(sys.argv[1])
        store.ingest(sys.argv[2])
        store.top("*")
        assert before == (gc.get_threshold(), gc.get_freeze_count(), dict(os.environ))
        assert signals == [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGPIPE)]
    """
    store = str(tmp_path / "store.duckdb")
    subprocess.run([sys.executable, "-c", code, store, str(RUN)], check=True)


def test_what_a_notebook_leaves_out_is_said(path: Path) -> None:
    page = perfduck.open(path).sql("select * from range(250)")._repr_html_()
    assert page.count("<tr>") == 201
    assert page.endswith("<p>50 rows more</p>")


RUN = DEMO / "native.udp64.1.txt.xz"


def test_a_recording_comes_as_a_file_as_bytes_or_as_a_stream(tmp_path: Path) -> None:
    store = perfduck.open(tmp_path / "store.duckdb")
    [first] = store.ingest(RUN, work=2168120, unit="packet", labels={"scenario": "native"})
    assert (first.is_new, first.name) == (True, "native.udp64.1")
    [again] = store.ingest(RUN.read_bytes(), name="native.udp64.1")
    assert not again.is_new
    with RUN.open("rb") as stream:
        [third] = store.ingest(stream, name="native.udp64.1", labels=["run=1"])
    assert third.changes == ("label run=1 added",)
    frame = store.profiles().frame
    assert frame["work"].to_list() == [2168120]
    other = perfduck.open(tmp_path / "bytes.duckdb")
    [new] = other.ingest(BytesIO(RUN.read_bytes()), name="run")
    assert (new.data.samples, new.name) == (first.data.samples, "run")


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        ((), {}, "expected a recording to ingest: FILE... or --manifest"),
        (("a", "b"), {"name": "x"}, "--name x: expected one recording, got several"),
        ((b"x",), {}, "expected a name for a recording that is not a file, got none"),
        ((RUN,), {"unit": "packet"}, "--unit packet: expected --work N with it"),
        ((RUN,), {"labels": {"a=b": "c"}}, "--label a=b: expected a key without ="),
        ((RUN, RUN), {"attach": {"iptables": "x"}}, "--attach iptables=x: expected one recording"),
        (("nope.data",), {}, "nope.data: expected a recording, got No such file or directory"),
    ],
)
def test_what_is_wrong_with_a_recording_is_said(
    tmp_path: Path, given: Any, options: Any, said: str
) -> None:
    with pytest.raises(perfduck.PerfduckError) as raised:
        perfduck.open(tmp_path / "store.duckdb").ingest(*given, **options)
    assert str(raised.value).startswith(said)


def test_a_store_is_looked_after(tmp_path: Path) -> None:
    store, other = perfduck.open(tmp_path / "a.duckdb"), perfduck.open(tmp_path / "b.duckdb")
    seen: list[str] = []
    store.ingest(RUN, DEMO / "native.udp64.2.txt.xz", on_stored=lambda one: seen.append(one.name))
    assert seen == ["native.udp64.1", "native.udp64.2"]
    edited = store.edit("native.udp64.1", name="one", labels={"run": "1"}, work=5, unit="packet")
    assert edited.changes["one"][0] == "renamed from native.udp64.1"
    assert store.edit("one", unlabel="run").to_text() == "one: label run=1 removed\n"
    conntrack = DEMO / "native.udp64.1.conntrack.txt"
    assert store.attach("one", {"conntrack": conntrack}).changes == {"one": ("conntrack attached",)}
    assert store.attach("one", [f"conntrack={conntrack}"]).changes == {"one": ()}
    other.ingest(DEMO / "native.udp64.3.txt.xz")
    assert store.merge(tmp_path / "b.duckdb").data.added == 1
    kept = store.prune("*", timedelta(days=3650))
    assert (kept.profiles, kept.kept) == ((), 3)
    would = store.remove("native.*", dry_run=True)
    assert [each.name for each in would.profiles] == ["native.udp64.2", "native.udp64.3"]
    assert len(store.profiles()) == 3
    gone = store.remove("native.*")
    assert [each.name for each in gone.profiles] == ["native.udp64.2", "native.udp64.3"]
    assert len(store.profiles()) == 1


def test_noise_is_learned_listed_and_forgotten(tmp_path: Path) -> None:
    store = perfduck.open(tmp_path / "store.duckdb")
    store.ingest(*(DEMO / f"native.udp64.{run}.txt.xz" for run in (1, 2, 3)))
    assert store.learn_noise("native.*").notes == ()
    store.edit("native.udp64.1", labels={"host": "node7"})
    learned = store.learn_noise("native.*")
    unlike = "is not used: no other run has its labels (host=node7) and unit of work (none)"
    assert learned.notes == (f"native.udp64.1 {unlike}",)
    assert learned.to_text().endswith(f"\n{learned.notes[0]}\n")
    assert set(learned.frame["runs"]) == {2}
    with pytest.raises(perfduck.PerfduckError, match=r"got none: native\.udp64\.1 is not used: no"):
        store.learn_noise("native.udp64.1+native.udp64.2")
    assert store.noise().frame.sort("subsystem").equals(learned.frame.sort("subsystem"))
    with pytest.raises(perfduck.PerfduckError, match="expected SELECTOR or --all, got neither"):
        store.forget_noise()
    assert len(store.forget_noise(all=True)) == len(learned)
    assert len(store.noise()) == 0


def test_budgets_that_are_not_per_unit_of_work_say_why(tmp_path: Path) -> None:
    store = perfduck.open(tmp_path / "store.duckdb")
    store.ingest(*(DEMO / f"native.udp64.{run}.txt.xz" for run in (1, 2)))
    store.edit("native.udp64.1", work=2168120, unit="packet")
    said = " ".join(store.suggest_budget("native.*").to_toml().replace("\n#", "").split())
    assert "Note: work is not known for native.udp64.2: compared per CPU-second" in said


def test_functions_are_tagged_and_explained(tmp_path: Path) -> None:
    known = perfduck.explain("nf_conntrack_in", release="6.18.44")
    assert known.data.subsystem == "conntrack"
    store = perfduck.open(tmp_path / "store.duckdb")
    store.ingest(RUN)
    rules = tmp_path / "rules.csv"
    rules.write_text("symbol,area,subsystem\n^nf_hook_slow$,ours,mine\n")
    done = store.tag(rules=rules)
    assert done.to_text().endswith(f" got a different tag (rules {rules})\n")
    assert store.tag(forget=["rules"]).changed == done.changed
    with pytest.raises(perfduck.PerfduckError, match="--forget-rules: expected no --rules"):
        store.tag(rules=rules, forget=["rules"])
    assert len(store.symbols()) == 0
