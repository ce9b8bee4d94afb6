"""What a command says while it waits."""

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest
from recordings import FIXTURES

from perfduck_cli.main import app
from perfduck_model.errors import PerfduckError
from perfduck_store.duckdb.store import DuckDbStore

PROGRAM = [sys.executable, "-c", "from perfduck_cli.main import main; main()"]
RECORDING = FIXTURES / "perf_script" / "fields-comm-only" / "input.txt"


@pytest.mark.slow
def test_a_reader_says_what_it_waits_for_after_a_second(store_path: Path) -> None:
    held = DuckDbStore(store_path, write=True)
    command = [*PROGRAM, "sql", "select 1 as one", "--store", str(store_path), "--format", "csv"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stderr
        said = reader.stderr.readline()
        held.close()
        out, more = reader.communicate(timeout=30)
    assert f"perfduck: waiting for the store: process {os.getpid()} (" in said
    assert said.endswith(" writes it\n")
    assert (out, more, reader.returncode) == ("one\n1\n", "", 0)


@pytest.mark.slow
def test_waiting_ends_after_the_seconds_that_were_given(store_path: Path) -> None:
    holder = (
        "import sys, time; from pathlib import Path;"
        " from perfduck_store.duckdb.store import DuckDbStore;"
        " store = DuckDbStore(Path(sys.argv[1]), write=True);"
        " print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(store_path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        started = time.monotonic()
        with pytest.raises(PerfduckError, match=r"within 0\.3 s, but process .* \(--wait SECONDS"):
            app(["profiles", "--wait", "0.3", "--store", str(store_path)], standalone_mode=False)
        assert time.monotonic() - started < 10
        process.kill()


@pytest.mark.slow
def test_a_recording_that_is_to_be_typed_is_asked_for(store_path: Path) -> None:
    """Nothing happens on a terminal where somebody forgot the file."""
    ours, theirs = pty.openpty()
    command = [*PROGRAM, "ingest", "-", "--name", "typed", "--store", str(store_path)]
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        assert process.stderr.readline() == (
            "perfduck: waiting for a recording on standard input, the terminal:"
            " Ctrl-D ends it, Ctrl-C stops\n"
        )
        os.write(ours, RECORDING.read_bytes()[:2000].rpartition(b"\n")[0] + b"\n\x04")
        out, _ = process.communicate(timeout=60)
    os.close(theirs)
    os.close(ours)
    assert out.startswith("typed: ")


def test_the_demo_leaves_the_users_store_alone(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ["ingest", str(RECORDING), "--name", "mine", "--store", str(store_path)]
    app(run, standalone_mode=False)
    before = store_path.read_bytes()
    with pytest.raises(PerfduckError, match=r"new store or one of the demo, got one with mine"):
        app(["demo", "--store", str(store_path)], standalone_mode=False)
    monkeypatch.setenv("PERFDUCK_STORE", str(store_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "perfduck-demo.duckdb").write_bytes(before)
    with pytest.raises(PerfduckError, match=r"^perfduck-demo\.duckdb: expected a new store"):
        app(["demo"], standalone_mode=False)
    assert store_path.read_bytes() == before
