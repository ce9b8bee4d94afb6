"""No option and no argument of any command is ignored: it changes the answer, or it is refused.

A row is a pair of commands, without what is typed and with it, on the same store: the answers
differ, and only the second has the words `says`. Where it cannot apply, `says` is what refuses it.
"""

import lzma
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from made import FIELDS, Recording
from recordings import FIXTURES
from test_usage import commands
from typer.testing import CliRunner

from perfduck_cli.main import app
from perfduck_model.errors import PerfduckError
from perfduck_symbols.elf import open_elf

DEMO = FIXTURES / "demo"
SPIN = FIXTURES / "perf_data" / "symfs" / "tmp" / "perfduck-fixture" / "spin"
RUNS = [f"{side}.udp64.{run}" for side in ("native", "docker0-nat") for run in (1, 2)]
RULES = "symbol,area,subsystem,role\n^udp_,ours,our_udp,domain\n"
REFUSED = 2
PLACES = {
    "demo": DEMO,
    "text": FIXTURES / "perf_script" / "net-chain" / "input.txt.xz",
    "data": FIXTURES / "perf_data" / "chains" / "recording.data.xz",
    "symfs": FIXTURES / "perf_data" / "symfs",
    "kallsyms": FIXTURES / "perf_data" / "kallsyms.gz",
    "vmlinux": FIXTURES / "perf_data" / "vmlinux.xz",
    "elf": FIXTURES / "elf",
    "spin": SPIN,
}


@dataclass(frozen=True)
class Row:
    """`parameter`: of the command's function; `words`, `typed`: what is typed, {place} replaced;
    `store`: one of the folder's, or one that is not there."""

    command: str
    parameter: str
    words: str
    typed: str
    says: str
    store: str = "demo"
    refused: bool = False


def _shown(command: str, words: str, store: str, *rows: tuple[str, str]) -> list[Row]:
    """A row for each option that is typed and what it makes the command say."""
    return [Row(command, _parameter(t), words, t, says, store) for t, says in rows]


def _refused(command: str, words: str, store: str, *rows: tuple[str, str]) -> list[Row]:
    return [Row(command, _parameter(t), words, t, says, store, refused=True) for t, says in rows]


def _parameter(typed: str) -> str:
    """Of the function, by the last option that is typed."""
    option = [word for word in typed.split() if word.startswith("--")][-1]
    name = option.partition("=")[0].removeprefix("--no-host").removeprefix("--").replace("-", "_")
    return {"_files": "host_files", "-f": "file"}.get(name, name)


FILTERS = (
    ("--comm iperf3", ""),
    ("--not-comm iperf3", ""),
    ("--pid 0", ""),
    ("--cpu 0", ""),
    ("--dso *libc*", ""),
    ("--subsystem udp", ""),
    ("--skip 500ms", ""),
    ("--until 500ms", ""),
)
NO_FILTERS = (
    ("--event cycles", "cycles: expected an event"),
    ("--cgroup x", "expected samples with a cgroup for --cgroup x"),
    ("--where run=1 --where run=2", "expected"),
    ("--skip 2s --until 1s", "--until 1s: expected a time after --skip 2s"),
)
ASKED = {
    "top": "native.*",
    "export": "native.*",
    "diff": "native.* docker0-nat.*",
    "compare": "* --over scenario",
    "budget suggest": "native.*",
}
FILTERED = [
    row
    for command, words in ASKED.items()
    for row in (
        *_shown(command, words, "demo", *FILTERS),
        *_refused(command, words, "demo", *NO_FILTERS),
    )
] + [
    *_refused("budget suggest", "native.*", "demo", ("--where run=1", "expected two runs or more")),
    *(
        Row(command, "where", words, "--where run=1", "")
        for command, words in ASKED.items()
        if command != "budget suggest"
    ),
]
FIRST = [
    *_shown(
        "ingest",
        "{text}",
        "none",
        ("--name b", "b: 244 samples"),
        ("--attach note={tmp}/note", "note attached"),
        ("--rules {tmp}/rules.csv", "rules kept"),
        ("--symbols {elf}", "elf: no recorded binary is there"),
        ("--vmlinux {elf}/program", "program: no recorded binary is there"),
        ("--manifest {tmp}/runs.csv", "listed: "),
        ("--store {tmp}/text.duckdb", "a: already in the store"),
    ),
    *_refused(
        "ingest",
        "{text}",
        "none",
        ("--force", "--force: expected work"),
        ("--unit packet", "--unit packet: expected --work N"),
        ("--spool {tmp}/spool", "expected the URL of a server as --store"),
        ("--name b --name c", "--name: expected it once"),
        ("--host-files --no-host-files", "--host-files: expected it once"),
        ("--rules=", "--rules: expected a path, got nothing"),
        ("--manifest {tmp}/runs.csv --name b", "--name b: expected one recording"),
        ("--manifest {tmp}/runs.csv --attach note={tmp}/note", "expected one recording to attach"),
        ("--manifest {tmp}/runs.csv --label run=2", "expected run=2 as --label says, got 1"),
        ("--manifest {tmp}/runs.csv --work 2", "expected 2 units as --work says, got 1 packet"),
        ("--work 2 --work-from {report}", "--work-from"),
    ),
    Row("ingest", "files", "", "{text}", "input: 244 samples", "none"),
    *_shown("ingest", "{broken}", "none", ("--lenient", "lines skipped")),
    *_shown("ingest", "{host} --name h", "none", ("--no-host-files", "has no name")),
    *_shown(
        "ingest",
        "{data}",
        "none",
        ("--kallsyms {kallsyms}", "kallsyms kept"),
    ),
]
SECOND = [
    *_shown(
        "ingest",
        "{text}",
        "text",
        ("--name b", "b: already in the store; renamed from a"),
        ("--label k=v", "; label k=v added"),
        ("--work 5", "; work is 5 units"),
        ("--work 5 --unit packet", "; work is 5 packets"),
        ("--work-from {report}", "; work is 2,168,120 packets"),
        ("--kernel 6.18.44", "; kernel is 6.18.44"),
        ("--attach note={tmp}/note", "; note attached"),
        ("--rules {tmp}/rules.csv", "; rules kept (perfduck tag applies them"),
        ("--symbols {elf}", "elf: no better names in it"),
        ("--vmlinux {elf}/program", "program: no better names in it"),
        ("--manifest {tmp}/runs.csv", "; renamed from a"),
    ),
    *_refused("ingest", "{text}", "text", ("--force", "--force: expected work")),
    *_shown("ingest", "{native} --work 5", "demo", ("--force", "; work is 5 packets (was")),
    *_shown(
        "ingest",
        "{data}",
        "data",
        ("--symbols {symfs}", "; resolved again"),
        ("--kallsyms {kallsyms}", "; kallsyms kept"),
        ("--vmlinux {vmlinux}", "no better names in it"),
    ),
]
ARGUMENTS = (
    ("top", "selector", "native.*"),
    ("export", "selector", "native.*"),
    ("compare", "selector", "* --over scenario"),
    ("diff", "base", "native.* docker0-nat.*"),
    ("diff", "new", "native.* docker0-nat.*"),
    ("budget suggest", "selector", "native.*"),
    ("explain", "symbol", "udp_sendmsg"),
    ("edit", "selector", "native.udp64.1 --name b"),
    ("rm", "selector", "native.udp64.1"),
    ("prune", "selector", "* --older-than 9999d"),
    ("attach", "selector", "native.udp64.1 note={tmp}/note"),
    ("attach", "files", "native.udp64.1 note={tmp}/note"),
    ("merge", "stores", "{tmp}/text.duckdb"),
    ("completion", "shell", "bash"),
    ("noise learn", "selector", "native.*"),
    ("noise forget", "selector", "native.*"),
    ("symbols add", "places", "{spin} --dso /usr/sbin/x"),
)
OF_THE_SERVER = {"serve", "token", "push", "mcp"}  # tests/server tries their options
ENOUGH = {
    **{command: words for command, _, words in ARGUMENTS if command != "completion"},
    "ingest": "{text}",
    "profiles": "",
    "sql": "--file {tmp}/rows.sql",
    "tag": "",
    "demo": "",
    "noise list": "",
    "symbols list": "",
}
QUESTIONS = [
    *(
        Row(command, name, "", words, "", "noise" if command == "noise forget" else "demo")
        for command, name, words in ARGUMENTS
    ),
    *_shown("top", "native.*", "demo", ("--by comm", "swapper"), ("--limit 3", "3 of ")),
    *_shown("top", "native.*", "demo", ("--format json", '"function"')),
    Row("top", "function", "* --by callees", "udp_sendmsg", "of udp_sendmsg"),
    Row("top", "function", "*", "udp_sendmsg", "udp_sendmsg: expected --by callers", refused=True),
    *_refused("top", "native.*", "demo", ("--by callers", "--by callers: expected a function")),
    *_refused("top", "native.*", "demo", ("--limit 3 --limit 5", "--limit: expected it once")),
    *_shown("export", "native.*", "demo", ("--format html", "<html")),
    Row("export", "format", "native.*", "--format html --limit 3", "no such option: --limit",
        refused=True),
    *_shown(
        "diff",
        "native.* docker0-nat.*",
        "demo",
        ("--budget {tmp}/budget.toml", "budget"),
        ("--tree path", ""),
        ("--by subsystem", ""),
        ("--per share", ""),
        ("--paired", ""),
        ("--least-growth 9999", ""),
        ("--explain", "8 of 10 comparisons in which nothing grew"),
        ("--format markdown", "12 of "),
        ("--format markdown --by function", "<details open>"),
    ),
    *_shown("diff", "native.udp64.1 native.udp64.2", "demo", ("--inconclusive pass", "")),
    *_shown("diff", "docker0-nat.* native.*", "demo", ("--tolerance 80%", "80 %")),
    *_shown("diff", "native.* other", "kernels", ("--allow-kernel-change", "")),
    *_refused(
        "diff",
        "native.* docker0-nat.*",
        "demo",
        ("--budget {tmp}/budget.toml --tolerance 9%", "--tolerance 9%: expected no --budget"),
        ("--where run=1 --paired", "--paired: expected 2 runs a side"),
        *((f"--format {kind} --explain", "--explain: expected --format text")
          for kind in ("json", "markdown", "junit", "html")),
        *((f"--format {kind} --by path", "--by path: expected text")
          for kind in ("json", "junit")),
        ("--budget=", "--budget: expected a path, got nothing"),
    ),
    *_shown("compare", "*", "demo", ("--over scenario", "What each step adds")),
    *_shown(
        "compare",
        "* --over scenario",
        "demo",
        ("--order docker0-nat,native", "docker0-nat -> native"),
        ("--format json", '"groups"'),
    ),
    *_refused("compare", "* --over scenario", "demo", ("--order=", "--order : expected values")),
    *_shown("budget suggest", "native.*", "demo", ("--keep 50%", "50 %"),
            ("--runs 3", "of 3 like")),
    *_shown("profiles", "", "demo", ("--format csv", "name,")),
    Row("profiles", "selector", "", "native.udp64.1", ""),
    Row("sql", "query", "", "select\u00a01", "1"),
    *_shown("sql", "--file {tmp}/q.sql", "demo", ("--param x=7", "7")),
    *_shown("sql", "--file {tmp}/rows.sql", "demo", ("--format csv", "")),
    *_shown("sql", "", "demo", ("--file {tmp}/rows.sql", "998")),
    *_refused(
        "sql",
        "--file {tmp}/rows.sql",
        "demo",
        ("--max-rows 9", "at most 9 rows (--max-rows N)"),
        ("--param x=7", "--param x"),
        ("--param x=7 --param x=8", "--param x=8: expected one value of x"),
    ),
    *_refused("sql", "--file {tmp}/slow.sql", "demo",
              ("--timeout 0.01", "stopped after 0.01 s (--timeout")),
    *_shown("explain", "udp_sendmsg", "demo", ("--format json", '"subsystem"'),
            ("--release 5.10.0", "5.10"), ("--rules {tmp}/rules.csv", "our_udp"),
            ("--dso /usr/sbin/x", "user space")),
    *_shown("explain", "__do_sys_fork", "demo", ("--kallsyms {kallsyms}", "__x64_sys_fork")),
    *_refused("explain", "udp_sendmsg", "demo",
              ("--vmlinux {elf}/program", "program: expected the binary [kernel.kallsyms]"),
              ("--symbols {elf}/net", "net: expected the binary [kernel.kallsyms]")),
    *_refused("explain", "main --dso /usr/sbin/x", "demo",
              ("--release 5.10.0", "--release 5.10.0: expected a function of the kernel"),
              ("--kallsyms {kallsyms}", ": expected a function of the kernel"),
              ("--vmlinux {vmlinux}", ": expected a function of the kernel"),
              ("--dso=", "--dso: expected")),
]  # fmt: skip
CARE = [
    *_shown(
        "tag",
        "",
        "demo",
        ("--rules {tmp}/rules.csv", "(rules"),
        ("--symbols {elf}/net", "no recorded binary is there"),
        ("--vmlinux {elf}/program", "no recorded binary is there"),
    ),
    *_shown("tag", "", "data", ("--kallsyms {kallsyms}", "(kallsyms")),
    *_shown("tag", "", "kept", ("--forget-rules", ""), ("--forget-kallsyms", "")),
    *_refused(
        "tag",
        "",
        "demo",
        ("--forget-rules", "--forget-rules: expected rules that"),
        ("--forget-kallsyms", "--forget-kallsyms: expected kallsyms that"),
        ("--rules {tmp}/rules.csv --forget-rules", "--forget-rules: expected no --rules"),
    ),
    *_shown(
        "edit",
        "native.udp64.1",
        "demo",
        ("--name b", "renamed from native.udp64.1"),
        ("--work 5", "work is 5 "),
        ("--work 5 --unit kick", "work is 5 kicks"),
        ("--label k=v", "label k=v added"),
        ("--unlabel run", "label run"),
    ),
    *_refused("edit", "native.*", "demo", ("--name b", "--name b: expected one profile"),
              ("--unit kick", "--unit kick: expected --work"),
              ("--unlabel k", "--unlabel k: expected a label")),
    *_shown("rm", "native.udp64.1", "demo", ("--dry-run", "")),
    *_shown("prune", "*", "demo", ("--older-than 9999d", "")),
    *_shown("prune", "* --older-than 0h", "demo", ("--dry-run", "")),
    *_refused("noise learn", "native.*", "demo", ("--event cycles", "cycles: expected an event"),
              ("--event=", "--event: expected an event")),
    *_shown("noise list", "", "demo", ("--format csv", "host_class")),
    *_shown("noise forget", "", "noise", ("--all", "forgot workload")),
    *_refused("noise forget", "native.*", "noise", ("--all", "got both")),
    *_shown("symbols list", "", "demo", ("--format csv", "dso")),
    *_shown("symbols add", "{spin}", "demo", ("--dso /usr/sbin/x", "/usr/sbin/x: ")),
    *_refused("symbols add", "{spin}", "demo", ("--dso=", "--dso: expected a name")),
]  # fmt: skip
ROWS = [*FILTERED, *FIRST, *SECOND, *QUESTIONS, *CARE]


def _recorded_here(folder: Path) -> Path:
    """A recording of a program of this machine, which was not changed since."""
    program = folder / "program"
    shutil.copy(SPIN, program)
    made = Recording(FIELDS, hostname=platform.node())
    made.comm("spin")
    made.map(0x400000, 0x100000, 0, str(program))
    [start] = open_elf(SPIN).functions().filter(name="turn")["address"]
    made.sample(10, start)
    path = made.write(folder / "host.data")
    os.utime(path, (4e9, 4e9))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stores by name, and what the rows name."""
    tmp = tmp_path_factory.mktemp("options")
    (tmp / "note").write_text("of the run")
    (tmp / "rules.csv").write_text(RULES)
    (tmp / "budget.toml").write_text('[budget]\ntotal = "90 %"\n')
    (tmp / "q.sql").write_text("select coalesce($x, 1) as x")
    slow = "select sum(a.range * b.range % 7) as s from range(30000) a, range(3000) b"
    (tmp / "slow.sql").write_text(slow)
    (tmp / "rows.sql").write_text("select * from range(1000) order by all")
    text = f"file,name,work,unit,run\n{PLACES['text']},listed,1,packet,1\n"
    (tmp / "runs.csv").write_text(text)
    broken = lzma.decompress(PLACES["text"].read_bytes()).splitlines(keepends=True)
    (tmp / "broken.txt").write_bytes(
        b"".join(line + b"%% strange\n" * (number > 30) for number, line in enumerate(broken[:200]))
    )
    lines = (DEMO / "recordings.csv").read_text().splitlines()
    kept = [line for line in lines if line.split(",")[1] in RUNS]
    (tmp / "demo.csv").write_text("\n".join([lines[0], *(f"{DEMO}/{line}" for line in kept)]))
    _recorded_here(tmp)
    for name, words in STORES.items():
        for each in words:
            code, _, error = _run(_words(each, tmp), tmp / f"{name}.duckdb")
            assert code == 0, error
    return tmp


STORES = {
    "demo": ["ingest --manifest {tmp}/demo.csv"],
    "text": ["ingest {text} --name a"],
    "data": ["ingest {data} --name spin"],
    "kept": ["ingest {data} --rules {tmp}/rules.csv --kallsyms {kallsyms}"],
    "noise": ["merge {tmp}/demo.duckdb", "noise learn native.*"],
    "kernels": [
        "merge {tmp}/demo.duckdb",
        "ingest {text} --name other --kernel 5.10.0 --work 100 --unit packet",
    ],
}


def _words(text: str, tmp: Path) -> list[str]:
    names = {**PLACES, "tmp": tmp, "host": tmp / "host.data", "broken": tmp / "broken.txt",
             "native": DEMO / "native.udp64.1.txt.xz",
             "report": DEMO / "native.udp64.1.iperf3.json"}  # fmt: skip
    return [word.format(**names).replace("\u00a0", " ") for word in text.split(" ") if word]


def _run(words: list[str], store: Path) -> tuple[int, str, str]:
    """Exit code, standard output and error."""
    has_none = "--store" in words or "completion" in words
    own = [] if has_none else ["--store", str(store)]
    result = CliRunner().invoke(app, [*words, *own])
    if isinstance(result.exception, PerfduckError):  # which main() prints
        return REFUSED, result.stdout, f"{result.stderr}perfduck: {result.exception}\n"
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@cache
def _answer(text: str, store: str, tmp: Path) -> tuple[int, str, str]:
    """On a copy of the store, which commands may change."""
    copy = tmp / "copy.duckdb"
    copy.unlink(missing_ok=True)
    if (tmp / f"{store}.duckdb").exists():
        shutil.copy(tmp / f"{store}.duckdb", copy)
    return _run(_words(text, tmp), copy)


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.command} {row.words} {row.typed}")
def test_what_is_typed_changes_the_answer_or_is_refused(row: Row, folder: Path) -> None:
    without = _answer(f"{row.command} {row.words}", row.store, folder)
    code, out, error = given = _answer(f"{row.command} {row.words} {row.typed}", row.store, folder)
    assert given != without
    assert row.says in out + error
    assert not row.says or row.says not in without[1] + without[2]
    if row.refused:
        assert (code, out, error.count("\n")) == (REFUSED, "", 1)
    else:
        assert code != REFUSED, error


def test_every_option_and_argument_has_a_row() -> None:
    asked = {(row.command, row.parameter) for row in ROWS}
    asked |= {(command, option) for command in ENOUGH for option in ("store", "wait")}
    there = {
        (" ".join(words), name)
        for words, parameters in commands()
        for name in parameters
        if name != "ctx" and words[0] not in OF_THE_SERVER
    }
    assert there == asked


@pytest.fixture(scope="module")
def held(folder: Path) -> Iterator[Path]:
    """A store that another process writes."""
    path = folder / "held.duckdb"
    shutil.copy(folder / "demo.duckdb", path)
    holder = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    command = [sys.executable, "-c", holder, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        yield path
        process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("command", ENOUGH)
def test_the_store_that_is_typed_is_waited_for_as_long_as_is_typed(
    command: str, folder: Path, held: Path
) -> None:
    text = f"{command} {ENOUGH[command]} --store {held} --wait 0.01"
    code, _, error = _run(_words(text, folder), held)
    assert code == REFUSED
    assert "held.duckdb: expected" in error
    assert "within 0.01 s" in error
