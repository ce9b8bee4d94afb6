"""The filters of top, diff, compare and export, as typed: one set, and nothing is ignored."""

import json
from pathlib import Path
from typing import Any

import pytest
from recordings import FIXTURES
from rows import mostly_slow
from typer.testing import CliRunner, Result

from perfduck_cli.main import app
from perfduck_model.errors import PerfduckError
from perfduck_store.duckdb.store import DuckDbStore

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

WORK = {"native.udp64.1": 2168120, "native.udp64.2": 2140000, "docker0-nat.udp64.1": 955880}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two udp64 runs of the host and one behind docker0, one of another unit of work, and one with
    several events."""
    path = tmp_path_factory.mktemp("filters") / "store.duckdb"
    for name, work in WORK.items():
        scenario, workload, run = name.split(".")
        labels = [f"scenario={scenario}", f"workload={workload}", f"run={run}"]
        words = [word for label in labels for word in ("--label", label)]
        text = str(FIXTURES / "demo" / f"{name}.txt.xz")
        _done(path, "ingest", text, "--work", str(work), "--unit", "packet", *words)
    crr = str(FIXTURES / "demo" / "native.crr.1.txt.xz")
    _done(path, "ingest", crr, "--work", "129748", "--unit", "request", "--label", "workload=crr")
    events = str(FIXTURES / "perf_script" / "event-names" / "input.txt.xz")
    _done(path, "ingest", events, "--name", "modifiers")
    return path


def _call(store: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--store", str(store)])


def _done(store: Path, *words: str) -> str:
    result = _call(store, *words)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def _rows(store: Path, *words: str) -> Any:
    return json.loads(_done(store, "top", *words, "--format", "json", "--limit", "1000000"))


def _refused(store: Path, *words: str) -> str:
    error = _call(store, *words).exception
    assert isinstance(error, PerfduckError), error
    assert "\n" not in str(error)
    return str(error)


def _sql(store: Path, condition: str, busy: str = "context <> 'idle'") -> float:
    """Busy ns of native.udp64.1 by SQL over the samples."""
    query = (
        "select coalesce(sum(weight), 0)::double as busy from hit"
        f" where profile = 'native.udp64.1' and {busy} and {condition}"
    )
    [row] = json.loads(_done(store, "sql", query, "--format", "json"))
    return float(row["busy"])


CHOICES = [
    (["--comm", "iperf3"], "comm = 'iperf3'"),
    (["--comm", "iperf?", "--comm", "kd*"], "(comm = 'iperf3' or comm like 'kd%')"),
    (["--not-comm", "iperf3"], "comm <> 'iperf3'"),
    (["--comm", "*", "--not-comm", "sw*", "--not-comm", "kd*"],
     "comm not like 'sw%' and comm not like 'kd%'"),
    (["--cpu", "0"], "cpu = 0"),
    (["--cpu", "0", "--cpu", "1"], "cpu in (0, 1)"),
    (["--cpu", "0-1"], "cpu in (0, 1)"),
    (["--dso", "libc.so.6"], "dso like '%/libc.so.6'"),
    (["--dso", "kernel.kallsyms", "--dso", "*/libc.so.6"],
     "(dso = '[kernel.kallsyms]' or dso like '%/libc.so.6')"),
    (["--subsystem", "udp", "--subsystem", "ipv?"], "blamed in ('udp', 'ipv4', 'ipv6')"),
    (["--skip", "1s"], "time_ns >= (select min(time_ns) + 1000000000 from hit"
     " where profile = 'native.udp64.1')"),
    (["--comm", "iperf3", "--cpu", "1", "--subsystem", "udp"],
     "comm = 'iperf3' and cpu = 1 and blamed = 'udp'"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("words", "condition"), CHOICES, ids=lambda words: " ".join(words)[:40])
def test_top_export_and_diff_are_about_the_samples_that_sql_finds(
    store: Path, words: list[str], condition: str
) -> None:
    busy = _sql(store, condition)
    kept = 1.0
    if "--skip" in words:
        query = "select duration_s from profile where name = 'native.udp64.1'"
        kept = 1 - 1 / json.loads(_done(store, "sql", query, "--format", "json"))[0]["duration_s"]
    for by in ("function", "path", "comm"):
        rows = _rows(store, "native.udp64.1", "--by", by, *words)
        found = sum(row["self"] for row in rows) * WORK["native.udp64.1"] * kept
        assert found == pytest.approx(busy)
        assert sum(row["share"] for row in rows) == pytest.approx(100)
    folded = _done(store, "export", "native.udp64.1", *words).splitlines()
    weight = sum(int(line.rpartition(" ")[2]) for line in folded)
    assert weight == pytest.approx(_sql(store, condition, "true"))
    sides = ("diff", "native.udp64.1", "native.udp64.2")
    found = json.loads(_done(store, *sides, *words, "--format", "json"))
    assert found["base"]["total"] == pytest.approx(busy / WORK["native.udp64.1"] / kept)


@pytest.mark.slow
def test_compare_takes_the_same_filters(store: Path) -> None:
    words = ("compare", "workload=udp64", "--over", "scenario", "--subsystem", "udp", "--cpu", "1")
    found = json.loads(_done(store, *words, "--comm", "iperf3", "--format", "json"))
    assert [row["subsystem"] for row in found["rows"]] == ["udp"]
    assert "--comm iperf3 --cpu 1 --subsystem udp" in found["reasons"][0]["text"]
    for format in ("text", "markdown"):
        text = _done(store, *words, "--comm", "iperf3", "--format", format)
        assert "only samples chosen by --comm iperf3 --cpu 1 --subsystem udp" in text
    page = _done(store, "export", "native.udp64.1", "--cpu", "1", "--format", "html")
    assert "only samples chosen by --cpu 1" in page


@pytest.mark.slow
def test_a_pid_that_is_held_against_tids_is_said(store: Path, tmp_path: Path) -> None:
    said = "of a thread in 1 of 1 profile: its tid, so that other threads of a process are left out"
    name = "native.udp64.1"
    query = f"select tid from sample join profile using (profile_id) where name = '{name}' limit 1"
    tid = _done(store, "sql", query, "--format", "csv").split()[-1]
    assert said in " ".join(_done(store, "top", name, "--pid", tid).split())
    both = tmp_path / "both.duckdb"
    text = FIXTURES / "perf_script" / "comms-pid" / "input.txt.xz"
    _done(both, "ingest", str(text), "--name", "both")
    pid = _done(both, "sql", "select pid from sample limit 1", "--format", "csv").split()[-1]
    assert "its tid" not in _done(both, "top", "both", "--pid", pid)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    mostly_slow([
        (["--comm", "iperf"],
         "no sample with --comm iperf: did you mean iperf3? there are iperf3 (9"),
        (["--comm", "iperf3", "--comm", "nginx"], "no sample with --comm nginx: there are iperf3"),
        (["--not-comm", "nginx"], "no sample with --not-comm nginx: there are iperf3"),
        (["--not-comm", "*"], "no sample with --not-comm *: there are iperf3"),
        (["--cpu", "7"], "no sample with --cpu 7: there are 0-1"),
        (["--cpu", "1-3"], "no sample with --cpu 2-3: there are 0-1"),
        (["--pid", "1"], "no sample with --pid 1: there are"),
        (["--dso", "libm.so"], "no sample with --dso libm.so: there are [kernel.kallsyms] ("),
        (["--subsystem", "udpp"], "no sample with --subsystem udpp: did you mean udp? there are "),
        (["--cgroup", "/pod"],
         "native.udp64.1: expected samples with a cgroup for --cgroup /pod, its recording has"),
        (["--comm", "kdamond.0", "--dso", "libc.so.6"],
         "no sample with --comm kdamond.0 --dso libc.so.6 together, idle left out"),
        (["--skip", "9s"], "native.udp64.1: --skip 9s leaves nothing of the 4 s"),
        (["--skip", "2s", "--until", "1s"], "--until 1s: expected a time after --skip 2s"),
        (["--skip", "soon"], "--skip soon: expected a time like 1s or 500ms"),
        (["--cpu", "x"], "--cpu x: expected CPUs like 0, 0-3 or 0,2"),
        (["--comm", ""], "--comm: expected a name or a glob, got nothing"),
        (["--event", "cpu-clok"], "cpu-clok: expected an event of the profiles, got none of that "
         "name: did you mean cpu-clock?"),
        (["--where", "run=1", "--where", "run=2"],
         "expected a profile that is also run=2, got none (they have run 1)"),
    ], 6),
    ids=lambda words: " ".join(words)[:40] if isinstance(words, list) else "",
)  # fmt: skip
@pytest.mark.parametrize(
    "command",
    [("top", "native.udp64.1"), ("export", "native.udp64.1"),
     ("diff", "native.udp64.1", "native.udp64.2")],
    ids=lambda command: command[0],
)  # fmt: skip
def test_a_filter_that_leaves_nothing_says_so_and_what_there_is(
    store: Path, command: tuple[str, ...], words: list[str], message: str
) -> None:
    if command[0] == "diff" and "run=2" in words:
        command = ("diff", "native.udp64.1", "docker0-nat.udp64.1")
    if command[0] == "export":  # it has idle
        message = message.removesuffix(", idle left out")
    assert message in _refused(store, *command, *words)


@pytest.mark.slow
def test_by_cgroup_and_a_filter_by_cgroup_are_of_the_same_samples(tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    recording = str(FIXTURES / "perf_data" / "cgroups" / "recording.data.xz")
    _done(path, "ingest", recording, "--name", "cgroups")
    [row] = _rows(path, "cgroups", "--by", "cgroup")
    assert (row["cgroup"], row["share"]) == ("/", 100)
    [same] = _rows(path, "cgroups", "--by", "cgroup", "--cgroup", "/")
    assert same == row
    assert "there are / (100.0 %)" in _refused(path, "top", "cgroups", "--cgroup", "/pod")


def test_a_side_without_a_program_is_named(store: Path) -> None:
    sides = ("diff", "native.udp64.1", "native.crr.1")
    said = _refused(store, *sides, "--comm", "wrk")
    assert said.startswith("base: no sample with --comm wrk: there are iperf3 (9")


@pytest.mark.slow
def test_a_side_that_did_not_run_the_code_costs_nothing(store: Path) -> None:
    sides = ("diff", "native.udp64.1", "docker0-nat.udp64.1", "--subsystem", "nat")
    text = _done(store, *sides)
    assert "base: no sample with --subsystem nat: its cost is 0" in text
    assert "nan" not in text
    found = json.loads(_done(store, *sides, "--format", "json"))
    assert (found["base"]["total"], found["total"]["base"]) == (0, 0)
    assert found["new"]["total"] > 90


def test_there_is_no_share_of_nothing(store: Path) -> None:
    sides = ("diff", "native.udp64.1", "docker0-nat.udp64.1", "--subsystem", "nat")
    said = _refused(store, *sides, "--per", "share")
    assert said == "cannot compare per share: no samples to be a share of in native.udp64.1"


@pytest.mark.slow
def test_footers_and_idle_follow_the_filters(store: Path) -> None:
    head = _done(store, "top", "native.udp64.1", "--comm", "iperf3").partition("\n\n")[0]
    assert "(idle left out: 0)" in head
    assert "only samples chosen by --comm iperf3" in head
    whole = _done(store, "top", "native.udp64.1").partition("\n\n")[0]
    assert "tags by weight" in whole
    assert "tags by weight" not in head  # nothing of iperf3 is guessed or unknown
    udp = _done(store, "top", "native.udp64.1", "--subsystem", "udp").partition("\n\n")[0]
    assert "disabled interrupts" in whole
    assert "disabled interrupts" not in udp


@pytest.mark.slow
def test_units_of_work_that_differ_are_named(store: Path) -> None:
    head = " ".join(line.strip() for line in _done(store, "top", "native.*").splitlines()[2:4])
    assert head == (
        "not per unit of work: work is in packet (2 runs) and request (1 run)"
        " (--where KEY=VALUE chooses runs of one)"
    )
    found = json.loads(_done(store, "diff", "native.udp64.*", "native.crr.1", "--format", "json"))
    assert "work is in packet (2 runs) and request (1 run)" in found["reasons"][0]["text"]
    assert "not known" not in found["reasons"][0]["text"]


def test_work_that_some_profiles_lack_is_said(store: Path) -> None:
    head = _done(store, "top", "native.udp64.1+modifiers", "--event", "cpu-clock*").splitlines()
    assert "not per unit of work: not known for modifiers" in head


@pytest.mark.slow
def test_unlike_events_are_said_by_all_four(store: Path) -> None:
    both = "native.udp64.1+modifiers"
    said = ("taken as one event: cpu-clock (1 profile, ",)
    assert _done(store, "top", both).splitlines()[2].startswith(said)
    rows = _call(store, "top", both, "--format", "csv")
    export = _call(store, "export", both)
    for result in (rows, export):
        assert f"perfduck: {said[0]}" in result.stderr
        assert said[0] not in result.stdout
    diff = json.loads(_done(store, "diff", *both.split("+"), "--format", "json"))
    assert any(reason["text"].startswith(said) for reason in diff["reasons"])


def test_a_profile_without_the_event_is_left_out_with_a_word(store: Path) -> None:
    head = _done(store, "top", "native.udp64.1+modifiers", "--event", "cpu-clock").splitlines()
    assert head[0].startswith("native.udp64.1: cpu-clock,")
    assert head[2].startswith("left out: 1 profile without cpu-clock: modifiers (")
    sides = ("diff", "native.udp64.1", "native.udp64.2+modifiers", "--event", "cpu-clock")
    found = json.loads(_done(store, *sides, "--format", "json"))
    assert found["verdict"] == "inconclusive"
    [reason] = [each for each in found["reasons"] if each["code"] == "event" and each["blocks"]]
    assert reason["text"].startswith("left out: 1 profile without cpu-clock: modifiers (")
    said = _refused(store, "diff", "native.udp64.1", "modifiers", "--event", "cpu-clock")
    assert said.startswith("new: expected a profile with event cpu-clock: left out: 1 profile")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["native.udp64.1", "udp_sendmsg"], "udp_sendmsg: expected --by callers or --by callees"),
        (["native.udp64.1", "udp_sendmsgg", "--by", "callers"], "did you mean udp_sendmsg?"),
    ],
)
def test_a_function_is_asked_about_its_calls(store: Path, words: list[str], message: str) -> None:
    assert message in _refused(store, "top", *words)


@pytest.mark.slow
def test_callers_follow_the_filters(store: Path) -> None:
    words = ("top", "native.udp64.1", "udp_sendmsg", "--by", "callers", "--format", "json")
    [whole] = json.loads(_done(store, *words))
    [one] = json.loads(_done(store, *words, "--subsystem", "udp"))
    asked = "stack_id in (select stack_id from stack_symbol join symbol using (symbol_id)"
    busy = _sql(store, f"{asked} where name = 'udp_sendmsg') and blamed = 'udp'")
    assert one["total"] * WORK["native.udp64.1"] == pytest.approx(busy)
    assert one["total"] < whole["total"]


def test_arcs_of_oprofile_cannot_be_filtered(tmp_path: Path) -> None:
    calls = str(FIXTURES / "oprofile" / "app-callgraph" / "reports" / "c.out.gz")
    _done(tmp_path / "s.duckdb", "ingest", calls, "--name", "calls")
    words = ("top", "calls", "fib(int)", "--by", "callers", "--comm", "*")
    said = _refused(tmp_path / "s.duckdb", *words)
    assert (
        said
        == "calls: its calls are recorded without their samples: --comm * cannot choose among them"
    )


@pytest.mark.slow
def test_programs_other_than_the_load_are_said(store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(store.read_bytes())
    with DuckDbStore(copy, write=True) as opened:
        command = "/usr/bin/perf record -a -g -- /usr/sbin/nginx -c conf"
        opened.execute("update profile set command = $c", {"c": command})
    share = json.loads(_done(copy, "sql", """
        select 100 * sum(weight) filter (comm = 'wrk') / sum(weight) as wrk from hit
        where profile = 'native.crr.1' and context <> 'idle'
        """, "--format", "json"))[0]["wrk"]  # fmt: skip
    said = "of the weight is of other programs than the load (nginx): "
    for words in (("top", "native.crr.1"), ("diff", "native.udp64.1", "native.crr.1")):
        text = " ".join(_done(copy, *words).split())
        assert f"{said}wrk {share:.1f} %" in text
        assert "--comm nginx looks at the load alone" in text
    assert said not in _done(copy, "top", "native.crr.1", "--comm", "wrk")
    assert "other programs" not in _done(store, "top", "native.udp64.1")
