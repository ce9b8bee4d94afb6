"""diff, compare, noise and attach from the command line, on small recordings."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from perfduck_cli.main import app
from perfduck_model.errors import PerfduckError
from perfduck_store.duckdb.store import DuckDbStore

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

PATHS = {
    "send": ["udp_sendmsg", "__sys_sendto", "do_syscall_64"],
    "receive": ["ip_rcv", "net_rx_action", "handle_softirqs"],
    "nat": ["nf_nat_ipv4_out", "ip_output", "net_rx_action", "handle_softirqs"],
    "idle": ["pv_native_safe_halt", "default_idle", "do_idle", "cpu_startup_entry"],
}
RULES = """\
*nat
:POSTROUTING ACCEPT [1:40]
[8:480] -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
*filter
:FORWARD ACCEPT [0:0]
[900:5400] -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
[910:5500] -A FORWARD -j DOCKER-USER
COMMIT
"""
CONNTRACK = """\
entries  clashres found new invalid
00000e89  00000000 00000001 00000000 00000000
00000e89  00000000 000000ff 00000000 00000000
"""


def _recording(hits: dict[str, int], start: float) -> str:
    """perf script text: the hits of every path, a millisecond apart, warm-up first."""
    lines = []
    order = [path for path, count in sorted(hits.items()) for _ in range(count)]
    for number, path in enumerate(order):
        time = start + 0.001 * number
        comm = "swapper     0" if path == "idle" else "iperf3  4711"
        lines.append(f"{comm} [00{number % 2}] {time:.6f}:    1000000 cpu-clock: ")
        lines += [f"\tffffffff81000000 {name}+0x10 ([kernel.kallsyms])" for name in PATHS[path]]
        lines.append("")
    return "\n".join(lines) + "\n"


RUNS = {
    "native": [(600, 400, 0), (610, 395, 0), (595, 405, 0)],
    "nat": [(605, 398, 150), (598, 402, 160), (603, 401, 155)],
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diff")
    lines = ["file,name,work,unit,scenario,workload,run"]
    for scenario, runs in RUNS.items():
        for number, (send, receive, nat) in enumerate(runs, 1):
            hits = {"send": send, "receive": receive, "nat": nat, "idle": 100 + number}
            name = f"{scenario}.{number}"
            (folder / f"{name}.txt").write_text(_recording(hits, 10.0 * number))
            lines.append(f"{name}.txt,{name},1000000,packet,{scenario},udp,{number}")
    (folder / "recordings.csv").write_text("\n".join(lines) + "\n")
    path = folder / "store.duckdb"
    _run(path, "ingest", "--manifest", str(folder / "recordings.csv"))
    return path


def _call(store: Path, *words: str) -> Result:
    command = [*words, "--store", str(store)]
    return CliRunner().invoke(app, command, catch_exceptions=True)


def _run(store: Path, *words: str, code: int = 0) -> str:
    result = _call(store, *words)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


def _diff(store: Path, *words: str, code: int = 1) -> Any:
    return json.loads(_run(store, "diff", *words, "--format", "json", code=code))


SIDES = ("scenario=native", "scenario=nat")


@pytest.mark.slow
def test_a_regression_exits_with_1_and_names_the_path(store: Path) -> None:
    found = _diff(store, *SIDES)
    assert (found["unit"], found["verdict"]) == ("ns/packet", "regression")
    assert [claim["function"] for claim in found["claims"]] == ["nf_nat_ipv4_out"]
    assert found["claims"][0]["delta"] == pytest.approx(155, abs=1)
    assert found["claims"][0]["path"][0] == "handle_softirqs"


@pytest.mark.slow
def test_idle_is_left_out_and_its_size_shown(store: Path) -> None:
    found = _diff(store, *SIDES)
    assert found["base"]["idle"] == pytest.approx(102)
    assert found["base"]["total"] == pytest.approx(1001.7, abs=1)


@pytest.mark.slow
def test_a_pass_has_to_exclude_growth_above_the_tolerance(store: Path) -> None:
    words = ("native.1+native.2", "native.3")
    found = _diff(store, *words, code=3)
    assert found["verdict"] == "inconclusive"
    assert found["sensitivity"]["excluded"] > found["sensitivity"]["tolerance"] == 0.05
    assert _diff(store, *words, "--tolerance", "20%", code=0)["verdict"] == "pass"
    text = _run(store, "diff", *words, code=3)
    assert "cannot tell: growth above +" in text
    assert "to exclude 5 %, record about" in text


@pytest.mark.slow
def test_one_run_a_side_exits_with_3_or_as_told(store: Path) -> None:
    words = ("diff", "native.1", "native.2")
    assert "noise learn" in _run(store, *words, code=3)
    _run(store, *words, "--inconclusive", "pass", code=0)
    _run(store, *words, "--inconclusive", "fail", code=1)


@pytest.mark.slow
def test_learned_noise_judges_one_run_against_one(store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(store.read_bytes())
    assert "ns/packet" in _run(copy, "noise", "learn", "workload=udp")
    found = _diff(copy, "native.1", "nat.1")
    assert found["verdict"] == "regression"
    assert found["claims"][0]["function"] == "nf_nat_ipv4_out"
    assert not any(reason["blocks"] for reason in found["reasons"])
    assert any(reason["code"] == "replicates" for reason in found["reasons"])
    _run(copy, "diff", "native.1", "native.2", "--tolerance", "20%", code=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "total"),
    [
        (["--comm", "iperf*"], 1000),
        (["--cpu", "0"], 500),
        (["--pid", "4711"], 1000),
        (["--dso", "kernel.kallsyms"], 1000),
        (["--subsystem", "udp"], 600),
    ],
)
def test_filters_choose_samples(store: Path, words: list[str], total: float) -> None:
    found = json.loads(_call(store, "diff", *SIDES, *words, "--format", "json").stdout)
    assert found["base"]["total"] == pytest.approx(total, rel=0.06)


@pytest.mark.slow
def test_lost_samples_are_a_part_of_the_recording_whatever_is_looked_at(
    store: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(store.read_bytes())
    with DuckDbStore(copy, write=True) as opened:
        opened.execute("update profile set lost = 50 where name = 'native.1'")
    for words in ((), ("--comm", "iperf*"), ("--cpu", "0")):
        reasons = _diff(copy, *SIDES, *words, code=3)["reasons"]
        assert any("native.1 lost 4.3% of its samples" in reason["text"] for reason in reasons)


def test_a_warm_up_is_cut_with_its_share_of_the_work(store: Path) -> None:
    found = json.loads(_call(store, "diff", *SIDES, "--skip", "200ms", "--format", "json").stdout)
    assert found["base"]["work"] == pytest.approx(1e6 * (1 - 200 / 1103), rel=0.01)
    assert any("evenly spread" in reason["text"] for reason in found["reasons"])


@pytest.mark.slow
def test_pairs_are_made_by_the_label_run(store: Path) -> None:
    found = _diff(store, *SIDES, "--paired")
    assert found["base"]["profiles"] == ["native.1", "native.2", "native.3"]
    assert found["claims"][0]["function"] == "nf_nat_ipv4_out"
    error = _call(store, "diff", "native.1+native.2", "nat.2+nat.3", "--paired").exception
    assert "got 1, 2 and 2, 3" in str(error)


def test_where_narrows_both_sides(store: Path) -> None:
    found = _diff(store, *SIDES, "--where", "run=1", code=3)
    assert found["base"]["profiles"] == ["native.1"]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["native.1", "native.1"], "both"),
        (["native.1", "nothing"], "nothing"),
        (["native.*", "nat.*", "--skip", "soon"], "soon"),
        (["native.*", "nat.*", "--tolerance", "0.05"], "like 5%"),
        (["native.*", "nat.*", "--tolerance", "-5%"], "like 5%"),
        (["native.*", "nat.*", "--where", "run=9"], "run=9"),
        (["native.*", "nat.1", "--paired"], "--paired"),
        (
            ["native.*", "nat.*", "--comm", "nobody"],
            "--comm nobody: there are iperf3 (100.0 %)",
        ),
        (["native.*", "nat.*", "--budget", "missing.toml"], "missing.toml"),
    ],
)
def test_what_the_user_can_mend_is_said_in_a_line(store: Path, words: list[str], what: str) -> None:
    error = _call(store, "diff", *words).exception
    assert isinstance(error, PerfduckError)
    assert what in str(error)
    assert "\n" not in str(error)


def test_a_budget_decides_and_junit_has_a_case_for_each(store: Path, tmp_path: Path) -> None:
    budget = tmp_path / "perfduck.toml"
    budget.write_text('[budget]\ntotal = "400 ns"\n[budget.subsystem]\nnat = "10 ns"\n')
    words = ("diff", *SIDES, "--budget", str(budget), "--format", "junit")
    suite = ElementTree.fromstring(_run(store, *words, code=1))
    cases = {case.get("name"): [child.tag for child in case] for case in suite.iter("testcase")}
    assert cases == {"total": [], "subsystem nat": ["failure"]}


@pytest.mark.parametrize(
    ("budget", "what"),
    [
        ('[budget.subsystem]\nconntrak = "10 ns"', "got conntrak: did you mean conntrack?"),
        ('[budget.path]\nip_rvc = "10 ns"', "got ip_rvc: did you mean ip_rcv?"),
        ('[budget.path]\n"net_rx_action;ip_outptu" = "10 ns"', "did you mean ip_output?"),
        ('[budget.path]\n"zz_*" = "10 ns"', "expected a name that exists, got zz_*"),
    ],
)
def test_a_budget_for_what_there_is_not_is_refused(
    store: Path, tmp_path: Path, budget: str, what: str
) -> None:
    (tmp_path / "perfduck.toml").write_text(budget)
    error = _call(store, "diff", *SIDES, "--budget", str(tmp_path / "perfduck.toml")).exception
    assert isinstance(error, PerfduckError)
    assert what in str(error)


def test_a_budget_may_name_what_only_other_kernels_or_runs_have(
    store: Path, tmp_path: Path
) -> None:
    """vxlan_xmit is in no run of this store, and in the catalogue."""
    text = '[budget]\ntotal = "400 ns"\n[budget.subsystem]\nvxlan = "0 ns"\n[budget.path]\n'
    (tmp_path / "perfduck.toml").write_text(text + '"vxlan_xm*" = "0 ns"\n')
    found = _diff(store, *SIDES, "--budget", str(tmp_path / "perfduck.toml"), code=0)
    assert [row["verdict"] for row in found["budgets"]] == ["pass"] * 3


@pytest.mark.parametrize("format", ["text", "markdown"])
def test_reports_for_people_fit_their_place(store: Path, format: str) -> None:
    text = _run(store, "diff", *SIDES, "--format", format, code=1)
    assert "nf_nat_ipv4_out" in text
    assert "regression" in text
    assert "\x1b" not in text
    if format == "text":
        assert max(map(len, text.splitlines())) <= 100


@pytest.mark.slow
def test_explain_says_what_the_words_of_the_answer_mean(store: Path) -> None:
    words = ("diff", *SIDES)
    plain, explained = _run(store, *words, code=1), _run(store, *words, "--explain", code=1)
    assert explained.startswith(plain)
    below = explained.removeprefix(plain)
    for term in ("total", "unattributed", "found in 8 of 10", "q", "regression"):
        assert term in plain
        assert term in below
    assert max(map(len, below.splitlines())) <= 100
    error = _call(store, *words, "--explain", "--format", "json").exception
    assert "--explain: expected --format text, got json" in str(error)


VIEWS = ("path", "subsystem", "function")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format", "heads"),
    [
        ("text", ("Grew (", "subsystem (blamed)", "function (self)")),
        ("markdown", ("| Grew |", "By subsystem", "By function")),
        ("html", ("claims-title", "subsystems-title", "functions-title")),
    ],
)
def test_a_report_shows_every_view_or_the_one_asked_for(
    store: Path, format: str, heads: tuple[str, ...]
) -> None:
    words = ("diff", *SIDES, "--format", format)
    text = _run(store, *words, code=1)
    assert all(head in text for head in heads)
    for view, its_head in zip(VIEWS, heads, strict=True):
        text = _run(store, *words, "--by", view, code=1)
        assert [head for head in heads if head in text] == [its_head]
        assert "regression" in text


@pytest.mark.slow
def test_compare_sets_scenarios_side_by_side(store: Path) -> None:
    words = ("compare", "*", "--over", "scenario")
    found = json.loads(_run(store, *words, "--format", "json"))
    assert found["groups"] == ["native", "nat"]
    rows = {row["subsystem"]: [cell["value"] for cell in row["cells"]] for row in found["rows"]}
    assert rows["nat"] == [0, pytest.approx(155, abs=1)]
    assert found["steps"][0]["subsystems"][0]["subsystem"] == "nat"
    text = _run(store, *words)
    assert "native -> nat" in text
    assert max(map(len, text.splitlines())) <= 100
    assert "| nat |" in _run(store, *words, "--format", "markdown")
    assert _run(store, *words, "--order", "native,nat") == text
    with pytest.raises(PerfduckError, match="bridge"):
        _run(store, *words, "--order", "native,bridge")


def test_attached_rules_stand_beside_the_growth(store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(store.read_bytes())
    (tmp_path / "rules.txt").write_text(RULES)
    (tmp_path / "stat.txt").write_text(CONNTRACK)
    _run(
        copy, "attach", "nat.1", f"iptables={tmp_path}/rules.txt", f"conntrack={tmp_path}/stat.txt"
    )
    context = _diff(copy, *SIDES)["context"]
    assert "MASQUERADE needs nat: 8 packets" in context[1]
    assert "needs conntrack: 900 packets" in context[0]
    assert context[2:] == [
        "new: 1 more iptables rule needs neither conntrack nor nat",
        "new: conntrack had 3,721 entries after the run",
    ]


@pytest.mark.parametrize(
    ("kind", "text", "what"),
    [
        ("iptables", "hello\n", "rules.txt:1"),
        ("conntrack", "entries found\n0001 zz\n", "rules.txt:2"),
        ("conntrack", "", "rules.txt:1"),
        ("IPTABLES", "", "KIND=FILE"),
    ],
)
def test_a_file_that_is_not_of_its_kind_is_refused(
    store: Path, tmp_path: Path, kind: str, text: str, what: str
) -> None:
    (tmp_path / "rules.txt").write_text(text)
    error = _call(store, "attach", "nat.1", f"{kind}={tmp_path}/rules.txt").exception
    assert isinstance(error, PerfduckError)
    assert what in str(error)


@pytest.mark.slow
def test_a_file_attached_to_several_runs_is_counted_once(store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(store.read_bytes())
    (tmp_path / "rules.txt").write_text(RULES)
    _run(copy, "attach", "nat.*", f"iptables={tmp_path}/rules.txt")
    assert "MASQUERADE needs nat: 8 packets" in _diff(copy, *SIDES)["context"][1]
    (tmp_path / "rules.txt").write_text(RULES.replace("[8:480]", "[20:900]"))
    _run(copy, "attach", "nat.2", f"iptables={tmp_path}/rules.txt")
    assert "MASQUERADE needs nat: 8 to 20 packets in 2 files" in _diff(copy, *SIDES)["context"][1]


@pytest.mark.slow
def test_learned_noise_is_named_listed_and_forgotten(store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(store.read_bytes())
    learned = _run(copy, "noise", "learn", "workload=udp")
    assert learned.startswith("host_class: architecture/CPUs of the recording; ? where it does")
    assert "freedom: degrees of freedom behind cv" in learned
    said = "spread between runs: learned from 6 runs of workload udp, ns/packet, on ?/2 ("
    assert any(line.startswith(said) for line in _diff(copy, *SIDES)["context"])
    some = _diff(copy, *SIDES, "--comm", "*")["context"]
    assert any(", of all their samples, not only --comm * (" in line for line in some)
    compared = json.loads(_run(copy, "compare", "*", "--over", "scenario", "--format", "json"))
    assert any(line.startswith(said) for line in compared["context"])
    rows = json.loads(_run(copy, "noise", "list", "--format", "json"))
    assert {(row["workload"], row["runs"]) for row in rows} == {("udp", 6)}
    forgot = _run(copy, "noise", "forget", "nat.1")
    assert forgot == f"forgot workload udp, ns/packet, on ?/2: {len(rows)} subsystems\n"
    assert not any("learned" in line for line in _diff(copy, *SIDES)["context"])
    for words in (["nat.1"], ["--all"]):
        assert "nothing learned" in str(_call(copy, "noise", "forget", *words).exception)
    assert "got neither" in str(_call(copy, "noise", "forget").exception)
    assert "got both" in str(_call(copy, "noise", "forget", "nat.1", "--all").exception)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["diff", *SIDES, "--by", "path", "--format", "json"], "--by path: expected text"),
        (["compare", "*", "--over", "scenari"], "did you mean scenario? the labels are run, scen"),
        (["compare", "*", "--over", "scenario", "--order", "nat,nativ"], "did you mean native?"),
        (["compare", "*", "--over", "scenario", "--order", "nat,nat"], "or more, each once"),
        (["attach", "nat.1", "notes=/dev/null", "notes=/dev/null"], "notes: expected one file"),
        (["symbols", "add", "/bin/a", "/bin/b", "--dso", "a"], "--dso a: expected one file"),
    ],
)  # fmt: skip
def test_what_cannot_apply_is_not_ignored(store: Path, words: list[str], message: str) -> None:
    error = _call(store, *words).exception
    assert isinstance(error, PerfduckError)
    assert message in str(error)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["diff", *SIDES, "--by", "functoin"], "Did you mean function?"),
        (["diff", *SIDES, "--evnt", "x"], "--event"),
        (["dif", *SIDES], "Did you mean 'diff'?"),
        (["diff", *SIDES, "--least-growth", "-1"], "--least-growth"),
    ],
)
def test_a_mistyped_word_is_suggested(store: Path, words: list[str], message: str) -> None:
    result = _call(store, *words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_iptables_s_text_has_rules_without_counters() -> None:
    from perfduck.attachments import iptables

    text = "-P INPUT ACCEPT\n-N DOCKER\n-A FORWARD -m state --state NEW -j DOCKER\n"
    [row] = iptables(text, "rules")["iptables_rule"].to_dicts()
    assert (row["table"], row["packets"], row["needs"]) == ("filter", None, "conntrack")
