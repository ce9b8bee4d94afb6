"""--symbols: a place that is neither a directory nor an ELF file is refused up front, and one that
has no file of the recording is named."""

import os
import subprocess
from pathlib import Path

import pytest
from command import run_text
from recordings import FIXTURES

from perfduck_symbols.elf import open_elf

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


@pytest.mark.slow
def test_a_file_is_a_place(tmp_path: Path) -> None:
    done = run("ingest", str(RECORDING), "--symbols", str(SPIN), store=tmp_path / "s.duckdb")
    assert (done.returncode, "spin: no such file" in done.stderr) == (0, False)


@pytest.mark.slow
def test_a_place_with_a_binary_by_its_build_id_alone_is_used(tmp_path: Path) -> None:
    build_id = open_elf(SPIN).build_id or ""
    place = tmp_path / ".build-id" / build_id[:2]
    place.mkdir(parents=True)
    file = place / f"{build_id[2:]}.debug"
    file.write_bytes(SPIN.read_bytes())
    done = run("ingest", str(RECORDING), "--symbols", str(tmp_path), store=tmp_path / "s.duckdb")
    assert (done.returncode, "no recorded binary" in done.stderr) == (0, False)
    file.unlink()
    done = run("ingest", str(RECORDING), "--symbols", str(tmp_path), store=tmp_path / "t.duckdb")
    assert f"{tmp_path}: no recorded binary is there" in done.stderr
