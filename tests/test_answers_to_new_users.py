"""What a new user meets: an empty store, a table that is cut, releases that are not catalogued."""

import json
from pathlib import Path

import pytest
from recordings import FIXTURES
from rows import mostly_slow
from typer.testing import CliRunner

import perfduck
from perfduck_cli.main import app
from perfduck_report.tables import aligned
from perfduck_store.duckdb.store import DuckDbStore

pytestmark = pytest.mark.slow

NATIVE = str(FIXTURES / "demo" / "native.udp64.1.txt.xz")
DOCKER = str(FIXTURES / "demo" / "docker0-nat.crr.1.txt.xz")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run per packet and one per request."""
    path = tmp_path_factory.mktemp("answers") / "store.duckdb"
    for file, work, unit in ((NATIVE, "2168120", "packet"), (DOCKER, "49000", "request")):
        words = ["ingest", file, "--work", work, "--unit", unit, "--store", str(path)]
        assert CliRunner().invoke(app, words).exit_code == 0
    return path


@pytest.fixture(scope="module")
def demo_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three packet workloads of three runs each."""
    path = tmp_path_factory.mktemp("demo") / "store.duckdb"
    head, *lines = (FIXTURES / "demo" / "recordings.csv").read_text().splitlines()
    rows = [line for line in lines if "udp64" in line]
    manifest = path.with_name("runs.csv")
    manifest.write_text("\n".join([head, *(f"{FIXTURES / 'demo'}/{row}" for row in rows)]))
    words = ["ingest", "--manifest", str(manifest), "--store", str(path)]
    assert CliRunner().invoke(app, words).exit_code == 0
    return path


def run(store: Path, *words: str, code: int = 0) -> tuple[str, str]:
    done = CliRunner().invoke(app, [*words, "--store", str(store)])
    assert done.exit_code == code, done.output
    return done.stdout, done.stderr


@pytest.fixture
def empty(store_path: Path) -> Path:
    DuckDbStore(store_path, write=True).close()
    return store_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["profiles"], "no profiles yet: perfduck ingest FILE stores one\n"),
        (
            ["noise", "list"],
            "nothing learned yet: perfduck noise learn SELECTOR learns from runs\n",
        ),
        (["symbols", "list"], "no binaries yet: perfduck symbols add FILE keeps the functions of"),
    ],
)
def test_an_empty_list_says_how_to_fill_it(empty: Path, words: list[str], said: str) -> None:
    shown, error = run(empty, *words)
    assert shown.startswith(said)
    assert (shown.count("\n"), error) == (1, "")
    assert json.loads(run(empty, *words, "--format", "json")[0]) == []
    assert run(empty, *words, "--format", "csv")[0].count("\n") == 1


@pytest.mark.parametrize(
    "by",
    mostly_slow(
        ["function", "path", "subsystem", "source", "dso", "comm", "callers", "callees"], 5
    ),
)
@pytest.mark.parametrize("format", ["text", "markdown"])
def test_a_table_says_how_many_rows_there_are(store: Path, by: str, format: str) -> None:
    function = ["__local_bh_enable_ip"] if by in ("callers", "callees") else []
    words = ["top", "native.udp64.1", *function, "--by", by]
    everything, error = run(store, *words, "--limit", "100000", "--format", "json")
    number = len(json.loads(everything))
    assert (number > 1, error) == (True, "")
    some, _ = run(store, *words, "--limit", "1", "--format", format)
    assert some.endswith(f"\n1 of {number:,} rows: --limit N shows more\n")
    assert "--limit" not in run(store, *words, "--limit", str(number), "--format", format)[0]


def test_rows_that_no_limit_asked_for_are_counted_beside_json(store: Path) -> None:
    shown, error = run(store, "top", "native.udp64.1", "--format", "json")
    assert len(json.loads(shown)) == 30
    assert error == "perfduck: 30 of 315 rows: --limit N shows more\n"
    assert run(store, "top", "native.udp64.1", "--format", "json", "--limit", "30")[1] == ""


def test_diff_and_compare_say_what_their_tables_leave_out(store: Path) -> None:
    sides = ["native.udp64.1", "docker0-nat.crr.1"]
    found = json.loads(run(store, "diff", *sides, "--format", "json", code=3)[0])
    shown, _ = run(store, "diff", *sides, code=3)
    assert f"\n15 of {len(found['subsystems'])} rows: --format json has all\n" in shown
    assert (len(found["functions"]), found["function_count"] > 200) == (200, True)
    assert f"\n15 of {found['function_count']} rows: --format json has 200\n" in shown


def test_lists_in_a_line_say_how_many_they_leave_out(demo_store: Path) -> None:
    sides = ["scenario=native", "scenario=flannel-vxlan", "--where", "workload=udp64"]
    found = json.loads(run(demo_store, "diff", *sides, "--format", "json", code=1)[0])
    shown, _ = run(demo_store, "diff", *sides, code=1)
    plain = " ".join(shown.split())
    claims = len(found["claims"]) + len(found["shrunk"])
    assert f", and {claims - 4} more runs: base" in plain
    steps = ["workload=udp64", "--over", "scenario", "--order", "native,docker0-nat"]
    compared = json.loads(run(demo_store, "compare", *steps, "--format", "json")[0])["steps"]
    grown = sum((row["q"] or 0) <= 0.05 for row in compared[0]["subsystems"])
    for format in ("text", "markdown"):
        said = " ".join(run(demo_store, "compare", *steps, "--format", format)[0].split())
        assert f", and {grown - 8} more" in said


def test_suggested_budgets_say_what_they_are_chosen_by(demo_store: Path) -> None:
    words = ["scenario=native", "--where", "workload=udp64", "--comm", "iperf3", "--cpu", "0"]
    shown, _ = run(demo_store, "budget", "suggest", *words)
    assert "\n# Note: only samples chosen by --comm iperf3 --cpu 0.\n" in shown
    assert " subsystems more have no budget: of programs, below 2 % of the total, or" in shown


def test_work_in_two_units_is_said_once_with_what_helps(store: Path) -> None:
    said = "work is in packet (1 run) and request (1 run) (--where KEY=VALUE chooses runs of one)"
    sides = ["native.udp64.1", "docker0-nat.crr.1"]
    for format in ("text", "markdown"):
        shown, _ = run(store, "diff", *sides, "--format", format, code=3)
        plain = " ".join(shown.replace("\\", "").split())
        assert plain.count(said) == 1
    assert "inconclusive: 2 comparability checks block\n" in run(store, "diff", *sides, code=3)[0]


@pytest.mark.parametrize(
    ("release", "said"),
    [
        ("6.1.0-18-amd64", "6.1.0-18-amd64 is catalogued: as in 6.1\n"),
        ("9.9", "9.9 is not catalogued: as in 7.2, the nearest of 5.10, 6.1 and 7.2\n"),
        ("6.10", "6.10 is not catalogued: as in 6.1, the nearest of 5.10, 6.1 and 7.2\n"),
    ],
)
def test_explain_says_which_release_it_goes_by(store: Path, release: str, said: str) -> None:
    shown, _ = run(store, "explain", "tcp_v4_rcv", "--release", release)
    assert f"  release    {said}" in shown
    told = json.loads(
        run(store, "explain", "tcp_v4_rcv", "--release", release, "--format", "json")[0]
    )
    assert (told["release"], f"as in {told['catalogued_as']}" in said) == (release, True)
    assert "  release" not in run(store, "explain", "tcp_v4_rcv")[0]


def test_explain_says_that_no_catalogued_kernel_has_a_function(store: Path) -> None:
    said = "  unknown    in 5.10, 6.1, 7.2: no such function is known"
    assert f"{said}\n" in perfduck.explain("nosuchfn").to_text()
    shown = perfduck.explain("nf_conntrack_inn").to_text()
    assert f"{said}; did you mean nf_conntrack_in?\n" in shown
    for known in ("nf_conntrack_in", "nf_conntrack_in.isra.0"):
        assert "  unknown " not in run(store, "explain", known)[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["explain", "f", "--release", "new"], "--release: expected a kernel release such as"),
        (["explain", "f", "--dso", "/bin/ls", "--release", "6.1"], "expected a function of"),
        (["explain", "nf_conntrack_inn"], "knows, got none (did you mean nf_conntrack_in?)"),
        (["explain", "nosuchfn"], "explain nosuchfn: expected a function of [kernel.kallsyms] th"),
        (["explain", "main", "--dso", "/bin/no"], "of /bin/no that the store or a rule knows, got"),
        (["top", "*", "f"], "f: expected --by callers or --by callees with a function"),
        (["attach", "*", "nope.txt"], "nope.txt: expected KIND=FILE, as in iptables=rules.txt"),
        (["profiles", "nope"], "nope: expected a profile name, glob or label, got none that"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(store: Path, words: list[str], message: str) -> None:
    done = CliRunner().invoke(app, [*words, "--store", str(store)])
    assert message in str(done.exception)
    assert not str(done.exception).startswith("--attach")


def test_a_long_name_moves_its_own_line_alone_in_a_pipe() -> None:
    name = "std::vector<" + "unsigned long, " * 40 + ">::push_back"
    lines = aligned(
        ["function", "self"], [["short", "1"], [name, "22"]], [False, True]
    ).splitlines()
    assert lines == [
        f"{'function':80}  self",
        "─" * 86,
        f"{'short':80}     1",
        f"{name}    22",
    ]
    lines = aligned(
        ["self", "function"], [["1", "short"], ["22", name]], [True, False]
    ).splitlines()
    assert lines == ["self  function", "─" * 86, "   1  short", f"  22  {name}"]
