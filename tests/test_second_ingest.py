"""What is said of a recording: by options, a manifest, and once more when it is stored already."""

import json
from pathlib import Path

import pytest
from command import run_text
from recordings import FIXTURES
from rows import mostly_slow

from perfduck_model.words import counted
from perfduck_store.duckdb.store import DuckDbStore

DEMO = FIXTURES / "demo"
NATIVE = DEMO / "native.udp64.1.txt.xz"
OTHER = DEMO / "native.udp64.2.txt.xz"
RULES = DEMO / "docker0-nat.crr.1.iptables.txt"
REPORT = DEMO / "native.udp64.1.iperf3.json"
FIRST = "a: 7944 samples, 377 stacks, 329 symbols"
STORED = "a: already in the store"


def perfduck(*arguments: str | Path, store: Path) -> tuple[int, str, str]:
    done = run_text([*arguments, "--store", store])
    return done.returncode, done.stdout, done.stderr


def said(store: Path) -> list[tuple[object, ...]]:
    with DuckDbStore(store) as opened:
        return opened.rows("select name, work, work_unit, labels from profile order by name")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("second") / "store.duckdb"
    options = ("--name", "a", "--work", "1000", "--unit", "packet", "--label", "run=1")
    code, out, error = perfduck("ingest", NATIVE, *options, store=path)
    assert (code, out.splitlines()[0], error) == (0, FIRST, "")
    assert perfduck("ingest", OTHER, "--name", "b", store=path)[0] == 0
    return path.read_bytes()


@pytest.fixture
def store(stored: bytes, store_path: Path) -> Path:
    store_path.write_bytes(stored)
    return store_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "answer"),
    mostly_slow([
        ([], f"{STORED}, nothing added"),
        (["--name", "a", "--work", "1000", "--unit", "packet", "--label", "run=1"],
         f"{STORED}, nothing added"),
        (["--label", "run=1", "--label", "host=x"], f"{STORED}; label host=x added"),
        (["--label", "run=2"], f"{STORED}; label run=2 (was 1)"),
        (["--name", "c"], "c: already in the store; renamed from a"),
        (["--work", "1", "--unit", "packet", "--force"],
         f"{STORED}; work is 1 packet (was 1,000 packets)"),
        (["--work", "1", "--force"], f"{STORED}; work is 1 packet (was 1,000 packets)"),
        (["--work", "1000"], f"{STORED}, nothing added"),
        (["--attach", f"iptables={RULES}"], f"{STORED}; iptables attached"),
    ], 3),
)  # fmt: skip
def test_a_second_ingest_says_what_it_changed(options: list[str], answer: str, store: Path) -> None:
    assert perfduck("ingest", NATIVE, *options, store=store) == (0, f"{answer}\n", "")
    if answer.endswith(("added", "attached")):
        again = perfduck("ingest", NATIVE, *options, store=store)
        assert again == (0, f"{STORED}, nothing added\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    mostly_slow([
        (["--work", "1", "--unit", "packet"], "expected the work that 'a' is stored with,"
         " 1,000 packets, got 1 packet (--force changes it)"),
        (["--work", "2000"], "1,000 packets, got 2,000 packets (--force changes it)"),
        (["--name", "b"], "a: expected a new name, but another recording is stored as 'b'"),
        (["--name", ""], "--name: expected a name of printable characters, got ''"),
        (["--name", "a\nb"], "--name: expected a name of printable characters, got 'a\\nb'"),
        (["--unit", "packet"], "--unit packet: expected --work N with it"),
        (["--work", "1", "--unit", ""], "--work 1.0: expected a unit"),
        (["--work", "1", "--work-from", str(REPORT)], "expected no --work and --unit beside it"),
        (["--unit", "x", "--work-from", str(REPORT)], "expected no --work and --unit beside it"),
        (["--label", "=x"], "--label =x: expected key=value"),
        (["--label", "run=1", "--label", "run=2"], "expected one value of run, got 1 before"),
        (["--label", "work=5"], "--label work=5: expected a label, got work, which cannot be a"
         " label: give --work"),
        (["--label", "attach.x=5"], "which cannot be a label: give --attach x=FILE"),
        (["--label", " run=5"], "expected a label of printable characters, got ' run'"),
        (["--label", "run=5\nx"], "expected a value of printable characters, got '5\\nx'"),
        (["--work", "1", "--unit", "a\x1b[2J"], "unit: expected printable characters, got 'a\\x1b"),
    ], 4),
)  # fmt: skip
def test_what_cannot_be_said_changes_nothing(options: list[str], message: str, store: Path) -> None:
    before = said(store)
    code, out, error = perfduck("ingest", NATIVE, *options, store=store)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert message in error
    assert said(store) == before


def manifest(folder: Path, *lines: str) -> Path:
    for file in (NATIVE, OTHER, RULES, REPORT):
        (folder / file.name).symlink_to(file)
    (folder / "twin.txt.xz").symlink_to(NATIVE)
    path = folder / "runs.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.slow
def test_a_manifest_names_reports_and_files_to_attach(tmp_path: Path, store_path: Path) -> None:
    runs = manifest(
        tmp_path,
        "file,name,work_from,attach.iptables,workload,label.work_form",
        f"{NATIVE.name},a,{REPORT.name},{RULES.name},native,x",
        f"{OTHER.name},,,,,",
    )
    code, out, error = perfduck("ingest", "--manifest", runs, store=store_path)
    assert (code, out.splitlines()[0]) == (0, f"{FIRST}; iptables attached")
    assert error == ""
    labels = {"workload": "native", "work_form": "x"}
    assert said(store_path) == [
        ("a", 2168120, "packet", labels),
        ("native.udp64.2", None, None, {}),
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["file,name", "{n},a", "{n},b"], ":3: expected another file in each line, got native"),
        (["file,name", "{n},a", "{o},a"], ":3: expected another name in each line, got a as in"),
        (["file,run,run", "{n},1,2"], ":1: expected a name for every column and no two alike, got"),
        (["file,run,label.run", "{n},1,2"], ":1: expected a name for every column and no two"),
        (["file,label.", "{n},1"], ":1: expected a name for every column and no two alike, got no"),
        (["file,work_form", "{n},x"], "work_form (did you mean work_from? a label of that name is"),
        (["file,wrok,unit", "{n},1,x"], "wrok (did you mean work? a label of that name is label."),
        (["file,Name", "{n},1"], "got Name (did you mean name? a label of that name is label.Nam"),
        (["file,lable.x", "{n},1"], "got lable.x (did you mean label.x? a label of that name is "),
        (["file,atach.iptables", "{n},1"], "(did you mean attach.iptables? a label of that name"),
        (
            ["file,label.work", "{n},1"],
            ":1: expected a label, got work, which cannot be a label: give",
        ),
        (["file,,run", "{n},1,2"], "got no name of column 2"),
        (["file,name"], ":2: expected a recording on each line, got no lines"),
        (["name,run", "a,1"], ":1: expected columns file,name,work,unit,work_from,kernel"),
        (["file,run", "{n}"], ":2: expected as many fields as columns, got another number"),
        (["file,run", ",1"], ":2: expected a file, got an empty field"),
        (["file", "{n}", "gone.txt"], ":3: expected a file in column file, got no such file"),
        (["file,attach.iptables", "{n},gone"], ":2: expected a file in column attach.iptables"),
        (["file,unit", "{n},packet"], ":2: expected work in column work, counted in packet, got"),
        (
            ["file,work,unit", "{n},0,packet"],
            "expected a positive number, 1e-9 to 1e18, as work and its unit",
        ),
        (["file,work,work_from", "{n},1,{r}"], ":2: expected work or work_from, got both"),
        (["file,scenario", "{n},x"], ":2: expected scenario=y as --label says, got x"),
        (
            ["file,work,unit", "{n},3,packet"],
            ":2: expected 2 packets as --work says, got 3 packets",
        ),
        (["file,kernel", "{n},6.1.0"], ":2: expected 6.2.0 as --kernel says, got 6.1.0"),
        (["file,attach.", "{n},{r}"], ":1: expected a kind of file as in attach.iptables, got att"),
        (
            ["file,work,unit", "{n},1_000,packet"],
            ":2: expected a positive number, 1e-9 to 1e18, as",
        ),
        (
            ["file,work,unit", "{n},\u0661\u0662,packet"],
            ":2: expected a positive number, 1e-9 to 1e18, as",
        ),
        (["file,work,unit", "{n},nan,packet"], ":2: expected a positive number, 1e-9 to 1e18, as"),
        (
            ["file,work,unit", "{n},1e999,packet"],
            ":2: expected a positive number, 1e-9 to 1e18, as",
        ),
        (
            ["file,work,unit", "{n},1e300,packet"],
            ":2: expected a positive number, 1e-9 to 1e18, as",
        ),
    ],
)
def test_a_manifest_with_a_mistake_stores_nothing(
    lines: list[str], message: str, tmp_path: Path, store_path: Path
) -> None:
    names = {"n": NATIVE.name, "o": OTHER.name, "r": REPORT.name}
    runs = manifest(tmp_path, *(line.format(**names) for line in lines))
    given = ["--label", "scenario=y", "--work", 2, "--unit", "packet", "--kernel", "6.2.0"]
    done = perfduck("ingest", "--manifest", runs, *given, store=store_path)
    assert (done[0], done[1], done[2].count("\n")) == (2, "", 1)
    assert message in done[2]
    assert not store_path.exists()


@pytest.mark.slow
def test_one_command_does_not_change_what_it_stored(tmp_path: Path, store_path: Path) -> None:
    """The same content under two names in a manifest is a mistake, not a change of mind."""
    runs = manifest(tmp_path, "file,name,run", f"{NATIVE.name},a,1", "twin.txt.xz,b,2")
    code, out, error = perfduck("ingest", "--manifest", runs, store=store_path)
    assert (code, out.splitlines()[0]) == (2, FIRST)
    assert (
        "got the one that was just stored as 'a' with other facts: renamed from a, label" in error
    )
    assert said(store_path) == [("a", None, None, {"run": "1"})]


@pytest.mark.slow
def test_attaching_the_same_again_adds_nothing(store: Path) -> None:
    assert perfduck("attach", "a", f"iptables={RULES}", store=store)[1] == "a: iptables attached\n"
    with DuckDbStore(store) as opened:
        before = opened.rows("from iptables_rule"), store.stat().st_size
    again = perfduck("attach", "a", f"iptables={RULES}", store=store)[1]
    assert again == "a: attached already, nothing added\n"
    with DuckDbStore(store) as opened:
        assert (opened.rows("from iptables_rule"), store.stat().st_size) == before


def test_words_have_their_number() -> None:
    assert [counted(n, t) for n, t in ((1, "line"), (2, "line"), (1e6, "kB"), (2, "ops"))] == [
        "1 line", "2 lines", "1,000,000 kB", "2 ops",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "meant"), [("pod", "pods"), ("iptable", "iptables"), ("conntracks", "conntrack")]
)
def test_a_mistyped_kind_of_attachment_is_refused(
    store: Path, tmp_path: Path, kind: str, meant: str
) -> None:
    file = tmp_path / "file"
    file.write_text("x\n")
    code, out, error = perfduck("attach", "a", f"{kind}={file}", store=store)
    assert (code, out) == (2, "")
    assert error == f"perfduck: {kind}={file}: expected a kind, got {kind}: did you mean {meant}?\n"


def test_work_of_a_report_is_said(store_path: Path) -> None:
    _, out, _ = perfduck("ingest", NATIVE, "--work-from", REPORT, store=store_path)
    assert "329 symbols; work is 2,168,120 packets\n" in out


UDP = FIXTURES / "work" / "iperf3-udp" / "input.txt"  # of 1 s, 44 % lost
OF_UDP = (
    "the work is of a report of 1 s, the recording lasted 4 s: is it of the same run?",
    "more than 20 % of the packets that were sent were lost on their way: work counts all that were"
    " sent",
)


def doubts(store: Path) -> set[str]:
    """What every answer says of the work."""
    answer = json.loads(perfduck("diff", "a", "b", "--format", "json", store=store)[1])
    texts = {text.removeprefix("base: ").removesuffix(" (a)") for text in answer["context"]}
    with DuckDbStore(store) as opened:
        rows = opened.rows("select text from limitation where code like 'work-%'")
    assert {text for (text,) in rows} == texts & set(OF_UDP)
    return texts & set(OF_UDP)


@pytest.mark.slow
def test_a_report_of_another_run_is_said_until_the_work_changes(store_path: Path) -> None:
    store = store_path
    assert perfduck("ingest", OTHER, "--name", "b", store=store)[0] == 0
    code, out, error = perfduck("ingest", NATIVE, "--name", "a", "--work-from", UDP, store=store)
    line = f"{FIRST}; work is 170,600 packets, {', '.join(OF_UDP)}"
    assert (code, out.splitlines()[0], error) == (0, line, "")
    assert doubts(store) == set(OF_UDP)
    again = perfduck("ingest", NATIVE, "--work-from", UDP, store=store)
    assert again == (0, f"{STORED}, nothing added\n", "")
    assert doubts(store) == set(OF_UDP)
    other = perfduck("ingest", NATIVE, "--work-from", REPORT, "--force", store=store)
    assert other[1].startswith(f"{STORED}; work ")
    assert doubts(store) == set()
    back = perfduck("ingest", NATIVE, "--work-from", UDP, "--force", store=store)[1]
    assert back.endswith(f", {', '.join(OF_UDP)}\n")
    assert doubts(store) == set(OF_UDP)
    assert perfduck("edit", "a", "--label", "run=1", store=store)[0] == 0
    assert doubts(store) == set(OF_UDP)
    assert perfduck("edit", "a", "--work", "7", "--unit", "packet", store=store)[0] == 0
    assert doubts(store) == set()
