"""--symbols: a place that is neither a directory nor an ELF file is refused up front."""

import os
import subprocess
from pathlib import Path

import pytest
from command import run_text
from recordings import FIXTURES

RECORDING = FIXTURES / "perf_data" / "chains" / "recording.data.xz"
SPIN = FIXTURES / "perf_data" / "symfs" / "tmp" / "perfduck-fixture" / "spin"


def run(*args: str, store: Path) -> subprocess.CompletedProcess[str]:
    return run_text([*args, "--store", store])


@pytest.mark.parametrize("command", [("ingest", str(RECORDING)), ("tag",), ("explain", "main")])
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (None, "an ELF file or a directory, got: No such file or directory"),
        (os.mkfifo, "an ELF file or a directory, got: a FIFO"),
        (Path.touch, "an ELF file, got: "),
    ],
)
def test_a_place_without_symbols_is_refused(
    command: tuple[str, ...], make: object, reason: str, tmp_path: Path
) -> None:
    place, store = tmp_path / "place", tmp_path / "store.duckdb"
    if callable(make):
        make(place)
    done = run(*command, "--symbols", str(place), store=store)
    assert done.returncode == 2
    assert done.stderr.startswith(f"perfduck: {place}: expected {reason}")
    assert done.stderr.count("\n") == 1
    assert not store.exists()


def test_a_file_is_a_place(tmp_path: Path) -> None:
    done = run("ingest", str(RECORDING), "--symbols", str(SPIN), store=tmp_path / "s.duckdb")
    assert (done.returncode, "spin: no such file" in done.stderr) == (0, False)
