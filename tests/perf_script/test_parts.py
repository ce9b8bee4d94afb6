"""How a recording is cut into parts, and how many threads parse them, changes no row."""

import lzma
from pathlib import Path

import pytest
from recordings import FIXTURES
from rows import mostly_slow
from set_limits import SetLimits

from perfduck.ingestion import IngestRequest, ingest
from perfduck_store.duckdb.store import DuckDbStore

RECORDING = FIXTURES / "demo" / "flannel-vxlan.crr.1.txt.xz"
TABLES = ("profile", "event", "symbol", "stack", "stack_symbol", "stack_blame", "sample", "rollup",
          "leaf_offset", "edge", "skipped")  # fmt: skip


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real one, twice, with a strange line in the middle: its number must not change either."""
    text = lzma.decompress(RECORDING.read_bytes())[:1_200_000]
    text = text[: text.rindex(b"\n\n") + 2]
    path = tmp_path_factory.mktemp("parts") / "recording.txt"
    path.write_bytes(text + b"%% strange %%\n\n" + text)
    return path


@pytest.fixture(scope="module")
def expected(recording: Path) -> dict[str, list[tuple[object, ...]]]:
    return stored(recording, recording.with_name("expected.duckdb"))


def stored(recording: Path, path: Path) -> dict[str, list[tuple[object, ...]]]:
    with DuckDbStore(path, write=True) as store:
        ingest(store, IngestRequest(str(recording)))
        return {
            table: store.rows(f"{_columns(table)} from {table} order by all") for table in TABLES
        }


def _columns(table: str) -> str:
    return "select * exclude (ingested_at)" if table == "profile" else ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "threads"),
    mostly_slow([(64 << 10, 2), (64 << 10, 4), (500_003, 1), (500_003, 2), (32 << 20, 1)], 3),
)
def test_the_store_is_the_same_whatever_the_parts_and_threads(
    size: int,
    threads: int,
    recording: Path,
    expected: dict[str, list[tuple[object, ...]]],
    set_limits: SetLimits,
    store_path: Path,
) -> None:
    set_limits(text_part_bytes=size, text_threads=threads)
    assert stored(recording, store_path) == expected


@pytest.mark.slow
def test_the_store_is_the_same_however_little_is_remembered(
    recording: Path,
    expected: dict[str, list[tuple[object, ...]]],
    set_limits: SetLimits,
    store_path: Path,
) -> None:
    set_limits(
        text_part_bytes=64 << 10,
        line_slots_log2=4,
        most_frames=1000,
        frame_slots_log2=4,
        stack_slots_log2=4,
        symbol_slots_log2=4,
    )
    assert stored(recording, store_path) == expected


def test_the_recording_has_all_that_could_change(
    expected: dict[str, list[tuple[object, ...]]],
) -> None:
    assert len(expected["sample"]) > 500
    assert len(expected["skipped"]) == 1
