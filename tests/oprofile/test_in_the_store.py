"""From a recording of OProfile's to an answer: what a user types and reads."""

import json
from pathlib import Path

import pytest
from oprofile_files import KALLSYMS, RECORDINGS, ROOT
from typer.testing import CliRunner, Result

from perfduck_cli.main import app
from perfduck_model.errors import PerfduckError


def perfduck(*arguments: str | Path, store: Path) -> Result:
    """In this process: a process a command would take most of the time to import polars."""
    return CliRunner().invoke(app, [*map(str, arguments), "--store", str(store)])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("oprofile") / "store.duckdb"
    work = ["--work", "855080", "--unit", "packet", "--kallsyms", KALLSYMS]
    for name in ("pod-flat-q", "pod-callgraph-q"):
        session = RECORDINGS / name / "session.tar.gz"
        done = perfduck("ingest", session, "--name", name, *work, store=path)
        assert done.exit_code == 0
    reports = RECORDINGS / "pod-flat-q" / "reports"
    for name in ("l-t.out", "l-f.out.gz", "X.out.gz"):
        done = perfduck("ingest", reports / name, "--name", name, *work[:4], store=path)
        assert done.exit_code == 0
    nat = ROOT / "fixtures" / "demo" / "docker0-nat.udp64.1.txt.xz"
    perfduck("ingest", nat, "--name", "perf", "--work", "1021240", "--unit", "packet", store=path)
    return path


def rows(*arguments: str, store: Path) -> list[dict[str, object]]:
    done = perfduck(*arguments, "--format", "json", store=store)
    assert (done.exit_code, done.stderr) == (0, "")
    return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.mark.slow
def test_top_ranks_functions_of_a_session(store: Path) -> None:
    first = rows("top", "pod-flat-q", "--limit", "5000", store=store)
    (table,) = (row for row in first if row["function"] == "ipt_do_table")
    # 158 hits of 434,783 ns over 855,080 packets
    assert table["subsystem"] == "iptables"
    assert table["self"] == pytest.approx(158 * 1e9 / 2299.998 / 855080, rel=1e-4)


@pytest.mark.slow
def test_callers_and_callees_are_those_of_opreport(store: Path) -> None:
    """164 self; callers 284 nf_hook_slow, 1 nf_nat_inet_fn; callees 62, 50, 8, 1."""
    one = 1e9 / 2299.998 / 855080
    for side, counts in (
        ("callers", {"nf_hook_slow": 284, "nf_nat_inet_fn": 1}),
        ("callees", {"conntrack_mt.isra.0": 62, "conntrack_mt_v3": 50, "__local_bh_enable_ip": 8,
                     "masquerade_tg": 1}),
    ):  # fmt: skip
        found = rows("top", "pod-callgraph-q", "ipt_do_table", "--by", side, store=store)
        assert {row["function"]: round(float(str(row["total"])) / one) for row in found} == counts


@pytest.mark.slow
def test_callers_come_from_stacks_where_there_are_stacks(store: Path) -> None:
    (row,) = rows("top", "perf", "ipt_do_table", "--by", "callers", store=store)
    assert (row["function"], row["share"]) == ("nf_hook_slow", 100)
    options = ("--by", "callees", "--format", "json")
    done = perfduck("top", "perf", "nf_hook_slow", *options, store=store)
    assert done.exit_code == 0
    assert "ipt_do_table" in {row["function"] for row in json.loads(done.stdout)}
    assert done.stderr.startswith("perfduck: nf_hook_slow is recursive")


def test_an_arc_is_a_row_of_sql(store: Path) -> None:
    query = (
        "select caller.name as caller, edge.count from edge"
        " join symbol as caller on caller.symbol_id = edge.caller_id"
        " join symbol as callee on callee.symbol_id = edge.callee_id"
        " where callee.name = 'ipt_do_table' order by edge.count desc"
    )
    assert rows("sql", query, store=store)[0] == {"caller": "nf_hook_slow", "count": 284}


def test_stacks_of_a_session_are_of_one_frame(store: Path) -> None:
    done = perfduck("export", "pod-flat-q", store=store)
    assert {line.count(";") for line in done.stdout.splitlines()} == {1}  # comm;function


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pod-flat-q", "--by", "callers"], "--by callers: expected a function: perfduck top SEL"),
        (["pod-flat-q", "nobody", "--by", "callees"], "nobody: expected a function in the store"),
    ],
)
def test_calls_of_nobody_are_a_usage_error(arguments: list[str], message: str, store: Path) -> None:
    done = perfduck("top", *arguments, store=store)
    assert isinstance(done.exception, PerfduckError)
    assert str(done.exception).startswith(message)


def test_without_a_call_graph_there_are_no_callers(store: Path) -> None:
    done = perfduck("top", "pod-flat-q", "ipt_do_table", "--by", "callers", store=store)
    assert "callers of ipt_do_table: none recorded\n" in done.stdout


@pytest.mark.slow
def test_a_partial_report_is_marked_in_top_and_in_diff(store: Path) -> None:
    top = perfduck("top", "l-t.out", store=store).stdout
    assert "l-t.out lists 12,482 of 22,845 samples: the rest is in no row" in top
    diff = perfduck("diff", "l-f.out.gz", "l-t.out", store=store)
    assert "blocks: l-t.out lists 54.6% of its samples" in diff.stdout
    assert diff.exit_code == 3


@pytest.mark.slow
def test_text_against_xml_of_one_recording_does_not_differ(store: Path) -> None:
    done = perfduck("diff", "l-f.out.gz", "X.out.gz", "--format", "json", store=store)
    found = json.loads(done.stdout)
    assert found["claims"] == []
    assert found["total"]["delta"] == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
def test_perf_and_oprofile_meet_by_function_and_subsystem(store: Path) -> None:
    done = perfduck(
        "diff", "pod-callgraph-q", "perf", "--comm", "iperf3", "--format", "json", store=store
    )
    found = json.loads(done.stdout)
    assert (found["event"], found["unit"]) == ("CPU_CLK_UNHALTED|cpu-clock", "ns/packet")
    both = {row["function"]: row for row in found["functions"] if row["base"] and row["new"]}
    assert {"ipt_do_table", "fib_table_lookup", "nf_hook_slow", "veth_xmit"} <= set(both)
    areas = {row["subsystem"] for row in found["subsystems"] if row["base"] and row["new"]}
    assert {"iptables", "conntrack", "nat", "bridge", "veth"} <= areas
