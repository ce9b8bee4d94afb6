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
from functools import cache
from pathlib import Path

import pytest
from command import run_text
from fake_perf import make as make_perf
from made import FIELDS, Recording
from option_rows import ENOUGH, OF_LAKES, OF_THE_SERVER, ROWS, Row
from recordings import FIXTURES
from test_usage import commands

from perfduck import recorder
from perfduck_symbols.elf import open_elf

DEMO = FIXTURES / "demo"
SPIN = FIXTURES / "perf_data" / "symfs" / "tmp" / "perfduck-fixture" / "spin"
RUNS = [f"{side}.udp64.{run}" for side in ("native", "docker0-nat") for run in (1, 2)]
RULES = "symbol,area,subsystem,role\n^udp_,ours,our_udp,domain\n"
REFUSED = 2
PLACES = {
    "demo": DEMO,
    "text": FIXTURES / "perf_script" / "net-chain" / "input.txt.xz",
    "folded": FIXTURES / "folded" / "net-chain.inferno.folded",
    "data": FIXTURES / "perf_data" / "chains" / "recording.data.xz",
    "symfs": FIXTURES / "perf_data" / "symfs",
    "kallsyms": FIXTURES / "perf_data" / "kallsyms.gz",
    "vmlinux": FIXTURES / "perf_data" / "vmlinux.xz",
    "elf": FIXTURES / "elf",
    "spin": SPIN,
}


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
    fake = make_perf(tmp / "bin")
    fake.load("base"), fake.load("new")
    (tmp / "fails").write_text("#!/bin/sh\nexit 3\n")
    (tmp / "fails").chmod(0o755)
    (tmp / "note").write_text("of the run")
    (tmp / "symbols").write_text("ffffffff81000000 T _text\n")
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
    # Named by its vmlinux, not by the machine, whose kernel may be the recorded one.
    "data": ["ingest {data} --name spin --no-host-files --vmlinux {vmlinux}"],
    "unnamed": ["ingest {data} --name spin --no-host-files"],
    "kept": ["ingest {data} --rules {tmp}/rules.csv --kallsyms {kallsyms}"],
    "noise": ["merge {tmp}/demo.duckdb", "noise learn native.*"],
    "kernels": [
        "merge {tmp}/demo.duckdb",
        "ingest {text} --name other --kernel 5.10.0 --work 100 --unit packet",
    ],
}


def _words(text: str, tmp: Path) -> list[str]:
    names = {**PLACES, "tmp": tmp, "load": tmp / "bin" / "load-base",
             "new_load": tmp / "bin" / "load-new",
             "host": tmp / "host.data", "broken": tmp / "broken.txt",
             "native": DEMO / "native.udp64.1.txt.xz",
             "report": DEMO / "native.udp64.1.iperf3.json"}  # fmt: skip
    return [word.format(**names).replace("\u00a0", " ") for word in text.split(" ") if word]


def _run(words: list[str], store: Path | str) -> tuple[int, str, str]:
    """Exit code, standard output and error."""
    has_none = "--store" in words or "completion" in words
    own = [] if has_none else ["--store", str(store)]
    done = run_text([*words, *own])
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(autouse=True)
def _perf(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`perf` is one that needs no permission, as does what says how this machine is set up."""
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    monkeypatch.chdir(folder)  # where a recording is kept that could not be stored
    monkeypatch.setattr(recorder, "_KALLSYMS", folder / "symbols")


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


@pytest.mark.slow
def test_every_option_and_argument_has_a_row() -> None:
    asked = {(row.command, row.parameter) for row in ROWS}
    asked |= {(command, option) for command in ENOUGH for option in ("store", "wait")}
    there = {
        (" ".join(words), name)
        for words, parameters in commands()
        for name in parameters
        if name != "ctx" and words[0] not in OF_THE_SERVER | OF_LAKES
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
