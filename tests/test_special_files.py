"""Devices, sockets, pipes and directories where a file was expected are refused in a line."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import run_text
from recordings import FIXTURES

RECORDING = FIXTURES / "perf_script" / "fields-pid" / "input.txt.xz"


def ingest(*args: str, store: Path) -> subprocess.CompletedProcess[str]:
    return run_text(["ingest", *args, "--store", store])


@pytest.fixture
def places(tmp_path: Path) -> Iterator[dict[str, str]]:
    session = tmp_path / "session" / "samples" / "current"
    session.mkdir(parents=True)
    os.mkfifo(session / "fifo")
    (session / "zero").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(tmp_path / "socket"))
        yield {
            "device": "/dev/zero",
            "socket": str(tmp_path / "socket"),
            "directory": str(tmp_path / "session"),
        }


@pytest.mark.parametrize("option", ["", "--kallsyms", "--work-from", "--rules", "--manifest"])
@pytest.mark.parametrize("kind", ["device", "socket", "directory"])
def test_a_special_file_is_refused(
    kind: str, option: str, places: dict[str, str], store_path: Path
) -> None:
    recording = [] if option in ("", "--manifest") else [str(RECORDING)]
    done = ingest(*recording, *filter(None, [option]), places[kind], store=store_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"perfduck: {places[kind]}")
    assert done.stderr.count("\n") == 1
    assert (kind == "socket") == ("a socket" in done.stderr)


FIFOS = {
    "the first file of threads": (["data.0"], "data", "recording: expected a recording"),
    "a file of a thread": (["data", "data.0"], "data.1", "data.1: expected what a thread of perf"),
    "results of Cilium": ([], "NetworkPerformance_benchmark_1.json", "got a FIFO"),
}


@pytest.mark.parametrize("kind", FIFOS)
def test_a_pipe_in_a_directory_is_not_waited_for(
    kind: str, tmp_path: Path, store_path: Path
) -> None:
    files, pipe, line = FIFOS[kind]
    folder = tmp_path / "recording"
    folder.mkdir()
    for name in files:
        (folder / name).write_bytes(b"PERFILE2" + bytes(96))
    os.mkfifo(folder / pipe)
    done = ingest(str(folder), store=store_path)
    assert done.returncode == 2
    assert line in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_pipe_that_the_user_names_is_read(tmp_path: Path, store_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with subprocess.Popen(["sh", "-c", f"xz -dc '{RECORDING}' > '{tmp_path}/fifo'"]):
        done = ingest(str(tmp_path / "fifo"), store=store_path)
    assert done.returncode == 0, done.stderr
    assert "172 samples" in done.stdout


def test_a_link_to_no_directory_is_no_place_for_a_store(tmp_path: Path) -> None:
    """Refused before the recording is read: what `record` would have recorded is not lost."""
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "s.duckdb")
    done = ingest(str(tmp_path / "no recording"), store=tmp_path / "link")
    assert done.returncode == 2
    assert f"got a path in {tmp_path}/nowhere, which is not a directory" in done.stderr
