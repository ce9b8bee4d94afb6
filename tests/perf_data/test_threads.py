"""A directory of `perf record --threads`: its samples are those that perf script prints of it."""

import lzma
import shutil
from pathlib import Path

import oracle
import pytest
from recordings import FIXTURES
from set_limits import SetLimits

from perfduck_cli.main import app
from perfduck_ingest.perf_data import importer
from perfduck_ingest.perf_data.symbol_places import SymbolPlaces
from perfduck_ingest.source import Source
from perfduck_model.errors import PerfduckError
from perfduck_store.duckdb.store import DuckDbStore

FOLDER = FIXTURES / "perf_data" / "threads"
COUNTS = "select name, sum(count) from profile join sample using (profile_id) group by name"
OPTIONS = {"symbol_dirs": (FIXTURES / "perf_data" / "symfs",)}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    found = tmp_path / "thr.data"
    found.mkdir()
    for name in ("data", "data.0", "data.1"):
        (found / name).write_bytes(lzma.decompress((FOLDER / f"{name}.xz").read_bytes()))
    return found


def rows(directory: Path) -> list[oracle.Row]:
    return list(oracle.said_by_us(oracle.batches_of(directory, **OPTIONS)))


def said_by_perf() -> list[oracle.Row]:
    text = lzma.decompress((FOLDER / "oracle.txt.xz").read_bytes()).decode()
    return list(oracle.said_by_perf(text.splitlines()))


def test_every_sample_is_what_perf_script_prints(directory: Path) -> None:
    wanted = said_by_perf()
    assert len(wanted) > 100
    assert {row[3] for row in wanted} == {0, 1}
    assert oracle.differences(wanted, rows(directory)) == ({}, {})


@pytest.mark.parametrize("size", [256, 4096])
def test_files_are_read_side_by_side(directory: Path, size: int, set_limits: SetLimits) -> None:
    set_limits(block_bytes=size, least_block_bytes=size)
    assert oracle.differences(said_by_perf(), rows(directory)) == ({}, {})


def test_samples_do_not_wait_for_the_end(directory: Path, set_limits: SetLimits) -> None:
    """So that memory is bounded by the blocks that are open, not by the recording."""
    set_limits(block_bytes=4096, least_block_bytes=4096)
    read = []
    with Source(str(directory)) as source:
        reader = importer.ThreadsReader(source)
        with (directory / "data").open("rb") as file:
            order = importer.header.byte_order(file.read(8))
            recording, start, size = importer.header.read_header(file, order)
        for samples, _ in reader.ready(recording, SymbolPlaces(), start, size):
            read.append((source.bytes_read, samples is not None))
    sizes = sum(path.stat().st_size for path in directory.iterdir())
    assert sum(has_samples for at, has_samples in read if at < sizes) > 3


@pytest.mark.slow
def test_the_name_and_the_content_are_the_directory(directory: Path, store_path: Path) -> None:
    def ingest(path: Path) -> None:
        app(["ingest", str(path), "--store", str(store_path)], standalone_mode=False)

    ingest(directory)
    copy = directory.parent / "copy.data"
    shutil.copytree(directory, copy)
    ingest(copy)
    with (copy / "data.1").open("r+b") as file:
        file.truncate(0)
    ingest(copy)
    with DuckDbStore(store_path) as store:
        counts = dict(store.rows(COUNTS))
    assert counts["thr"] == len(said_by_perf())
    assert 0 < counts["copy"] < counts["thr"]
    assert len(counts) == 2


def test_a_part_that_is_cut_off_is_named(directory: Path) -> None:
    with (directory / "data.1").open("r+b") as file:
        file.truncate((directory / "data.1").stat().st_size - 4)
    with pytest.raises(
        PerfduckError, match=r"thr\.data/data\.1: byte \d+: expected a whole record"
    ):
        rows(directory)


@pytest.mark.parametrize("size", [0, 7, 8, 60, 500])
def test_a_head_that_is_cut_off_is_named(directory: Path, size: int, store_path: Path) -> None:
    with (directory / "data").open("r+b") as file:
        file.truncate(size)
    with pytest.raises(PerfduckError, match=r"thr\.data(:1)?: expected a (recording|whole)"):
        app(["ingest", str(directory), "--store", str(store_path)], standalone_mode=False)
    assert not store_path.exists()
