"""A recording that comes through a pipe holds nobody up: the store is open only to commit it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, cast

import pytest
from recordings import FIXTURES, text_of
from rows import mostly_slow

from perfduck.ingestion import Ingestion, IngestRequest, ingest
from perfduck_ingest.importer import ImportOptions
from perfduck_model.errors import PerfduckError
from perfduck_store.duckdb.store import DuckDbStore

PROGRAM = [sys.executable, "-c", "from perfduck_cli.main import main; main()"]
TEXT = text_of(FIXTURES / "perf_script" / "v7-default")
OTHER = text_of(FIXTURES / "perf_script" / "v7-header")
DEMO = FIXTURES / "demo"
RECORDING = DEMO / "native.udp64.1.txt.xz"


@contextmanager
def perfduck(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    with subprocess.Popen([*PROGRAM, *words], stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


def write(process: subprocess.Popen[bytes], text: bytes) -> None:
    stdin = cast(IO[bytes], process.stdin)
    stdin.write(text)
    stdin.flush()


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, said = process.communicate(timeout=60)
    return process.returncode, out.decode(), said.decode()


@pytest.mark.slow
def test_others_read_and_write_while_recordings_come_through_pipes(store_path: Path) -> None:
    with ExitStack() as running:
        pipes = []
        for name, text in (("one", TEXT), ("other", OTHER)):
            words = ("ingest", "-", "--name", name, "--store", str(store_path))
            pipes.append(running.enter_context(perfduck(*words)))
            write(pipes[-1], text[: len(text) // 2])
        with DuckDbStore(store_path, write=True, wait_s=10) as store:
            ingest(store, IngestRequest(str(RECORDING)))
        with DuckDbStore(store_path, wait_s=1) as store:
            assert [profile.name for profile in store.profiles.all()] == ["native.udp64.1"]
        assert [process.poll() for process in pipes] == [None, None]
        for process, text in zip(pipes, (TEXT, OTHER), strict=True):
            write(process, text[len(text) // 2 :])
        for process, name in zip(pipes, ("one", "other"), strict=True):
            code, out, said = ended(process)
            assert (code, said) == (0, "")
            assert out.startswith(f"{name}: ")
    with DuckDbStore(store_path) as store:
        names = [profile.name for profile in store.profiles.all()]
        assert names == ["native.udp64.1", "one", "other"]


@pytest.mark.slow
def test_a_pipe_waits_for_who_has_the_store_open_and_says_so(store_path: Path) -> None:
    held = DuckDbStore(store_path, write=True)
    with perfduck("ingest", "-", "--store", str(store_path)) as process:
        write(process, TEXT)
        cast(IO[bytes], process.stdin).close()
        line = cast(IO[bytes], process.stderr).readline().decode()
        held.close()
        assert line.startswith("perfduck: waiting for the store: process ")
        assert process.wait(60) == 0


@pytest.mark.slow
def test_a_name_that_is_taken_is_said_before_a_pipe_is_read(store_path: Path) -> None:
    with Ingestion(store_path) as ingestion:
        ingestion.ingest(IngestRequest(str(RECORDING), name="one"))
    with perfduck("ingest", "-", "--name", "one", "--store", str(store_path)) as process:
        line = cast(IO[bytes], process.stderr).readline().decode()
        assert line == "perfduck: 'one' is stored already: expected the same recording again\n"


@pytest.mark.slow
@pytest.mark.parametrize("place", mostly_slow(["no/such/folder/s.duckdb", "text", "folder"], 3))
def test_a_path_that_can_be_no_store_is_refused_before_a_pipe_is_read(
    place: str, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("hello, and some more words\n")
    (tmp_path / "folder").mkdir()
    with perfduck("ingest", "-", "--store", str(tmp_path / place)) as process:
        assert process.wait(60) == 2
        said = cast(IO[bytes], process.stderr).read().decode()
    assert said.startswith(f"perfduck: {tmp_path / place}: expected a store, got ")


@pytest.mark.slow
def test_what_fails_at_the_commit_fails_before_a_large_file_is_parsed(
    store_path: Path, tmp_path: Path
) -> None:
    large = tmp_path / "one.txt"
    large.write_bytes(TEXT * (20_000_000 // len(TEXT)))
    parsed = []
    with Ingestion(store_path) as ingestion:
        ingestion.ingest(IngestRequest(str(RECORDING), name="one"))
        with pytest.raises(PerfduckError, match=r"one\.txt: expected a new name, but another"):
            ingestion.check([IngestRequest(str(large))], parsed.append)
        ingestion.check([IngestRequest(str(large), name="two")], parsed.append)
    assert not parsed


@pytest.mark.slow
def test_kallsyms_is_read_once_for_all_recordings(store_path: Path, tmp_path: Path) -> None:
    """As the shell passes <(command): it can be read once."""
    reader, writer = os.pipe()
    os.write(writer, b"ffffffff81000000 T _stext\nffffffff82000000 T _etext\n")
    os.close(writer)
    options = ImportOptions(kallsyms=Path(f"/dev/fd/{reader}"))
    with Ingestion(store_path) as ingestion:
        for name in ("v7-default", "v7-comms", "v7-events"):
            source = tmp_path / name
            source.write_bytes(text_of(FIXTURES / "perf_script" / name))
            assert ingestion.ingest(IngestRequest(str(source), options=options)).is_new
    os.close(reader)


@pytest.mark.slow
def test_the_store_is_free_between_two_recordings_of_a_command(store_path: Path) -> None:
    """As a second process finds it: one process shares what it has open."""
    words = [*PROGRAM, "profiles", "--wait", "0", "--store", str(store_path)]
    with Ingestion(store_path) as ingestion:
        for run in ("1", "2"):
            ingestion.ingest(IngestRequest(str(DEMO / f"native.crr.{run}.txt.xz")))
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            assert f"native.crr.{run}" in done.stdout
    assert not list(store_path.parent.glob("*.wal"))


@pytest.mark.slow
def test_a_reader_that_prints_does_not_hold_the_store(store_path: Path) -> None:
    """`perfduck top | less`: the answer is longer than a pipe is."""
    with DuckDbStore(store_path, write=True) as store:
        for run in ("1", "2"):
            ingest(store, IngestRequest(str(DEMO / f"native.crr.{run}.txt.xz")))
    commands = (
        ("top", "*", "--limit", "2000", "--by", "path"),
        ("export", "native.crr.1"),
        ("sql", "from hit", "--format", "csv"),
    )
    for words in commands:
        with perfduck(*words, "--store", str(store_path)) as process:
            out = cast(IO[bytes], process.stdout)
            assert out.read(1)
            time.sleep(0.1)
            assert process.poll() is None, "the answer is too short for this test"
            DuckDbStore(store_path, write=True, wait_s=5).close()
