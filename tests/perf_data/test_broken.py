"""Recordings of another byte order, and broken ones: a clear message or what can be read."""

import contextlib
import io
import lzma
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import big_endian
import oracle
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import FIELDS, Recording
from test_recordings import FIXTURES, OPTIONS

from perfduck.ingestion import IngestRequest, ingest
from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.perf_data import importer as perf_data
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch
from perfduck_model.errors import PerfduckError
from perfduck_store.duckdb.store import DuckDbStore

KINDS = ("chains", "events", "packed", "pipe", "pipe-packed")
RAW = {
    kind: lzma.decompress((FIXTURES / kind / "recording.data.xz").read_bytes()) for kind in KINDS
}


def read(raw: bytes) -> list[Batch]:
    with Source("perf.data", io.BytesIO(raw)) as source:
        return list(perf_data.open(source).batches(ImportOptions(**OPTIONS)))  # type: ignore[arg-type]


def test_a_big_endian_recording_says_the_same() -> None:
    turned = read(big_endian.big_endian(RAW["chains"]))
    same = read(RAW["chains"])
    assert oracle.differences(oracle.said_by_us(same), oracle.said_by_us(turned)) == ({}, {})
    assert turned[-1].facts == same[-1].facts


@pytest.mark.parametrize("size", [8, 16, 100, 300, 5000])
def test_a_cut_off_file_is_one_line(size: int) -> None:
    with pytest.raises(PerfduckError, match=r"^perf.data: "):
        read(RAW["chains"][:size])


def test_a_pipe_that_was_cut_off_says_where() -> None:
    with pytest.raises(PerfduckError, match=r"^perf.data: byte \d+: expected a whole record"):
        read(RAW["pipe"][:-4])


def test_a_record_of_no_size_is_not_the_last() -> None:
    raw = bytearray(RAW["chains"])
    (start,) = struct.unpack_from("<Q", raw, 40)  # of the records
    raw[start : start + 8] = bytes(8)
    with pytest.raises(PerfduckError, match=r"byte 0: expected a record of 8 bytes or more, got 0"):
        read(bytes(raw))


def attempt(raw: bytes) -> None:
    with contextlib.suppress(PerfduckError):
        assert len(read(raw)) > 0


BROKEN = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.slow
@BROKEN
@given(st.sampled_from(KINDS), st.data())
def test_a_cut_recording_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    attempt(RAW[kind][: data.draw(st.integers(16, len(RAW[kind])))])


@pytest.mark.slow
@BROKEN
@given(st.sampled_from(KINDS), st.data())
def test_changed_bytes_are_read_or_refused(kind: str, data: st.DataObject) -> None:
    raw = bytearray(RAW[kind])
    last = data.draw(st.sampled_from([512, 8192, len(raw)])) - 8
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.integers(8, min(last, len(raw) - 8)))
        raw[at : at + 4] = data.draw(st.sampled_from(PATCHES) | st.binary(min_size=4, max_size=4))
    attempt(bytes(raw))


def records_of_samples(raw: bytes) -> int:
    """How many records of type SAMPLE there are, one after the other."""
    at, size = struct.unpack_from("<QQ", raw, 40)
    end, found = at + size, 0
    while at < end:
        kind, _, length = struct.unpack_from("<IHH", raw, at)
        found += kind == 9
        at += length
    return found


EDGES = (0, 1, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, (1 << 64) - 640)


@pytest.mark.slow
@settings(BROKEN, max_examples=15)
@given(st.sampled_from(("chains", "events")), st.data())
def test_every_sample_is_stored_whatever_its_numbers_say(kind: str, data: st.DataObject) -> None:
    """Numbers of records become any; what the store cannot hold is left out and counted, and the
    sample stays unless its event is unknown, or the file is refused. No column overflows."""
    raw = bytearray(RAW[kind])
    starts = list(starts_of(raw))
    for _ in range(data.draw(st.integers(1, 12))):
        start, length = data.draw(st.sampled_from(starts))
        at = start + 8 * data.draw(st.integers(1, length // 8 - 1))
        number = data.draw(st.sampled_from(EDGES) | st.integers(0, (1 << 64) - 1))
        raw[at : at + 8] = number.to_bytes(8, "little")
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(PerfduckError):
        check_stored(bytes(raw), Path(folder))


def check_stored(raw: bytes, folder: Path) -> None:
    path = folder / "perf.data"
    path.write_bytes(raw)
    with DuckDbStore(folder / "store.duckdb", write=True) as store:
        receipt = ingest(store, IngestRequest(str(path), options=ImportOptions(**OPTIONS)))  # type: ignore[arg-type]
        left_out = "select text from skipped where reason like 'SAMPLE:%'"
        skipped = sum(int(text.split()[0]) for (text,) in store.rows(left_out))
        assert receipt.samples + skipped == records_of_samples(raw)
        counted = dict(store.rows("select code, samples from limitation where samples > 0"))
        nulls = "count(*) filter (time_ns is null), count(*) filter (period is null)"
        [(times, periods)] = store.rows(f"select {nulls} from sample")
        assert counted.get("time-out-of-range", 0) == times
        assert counted.get("period-out-of-range", 0) == periods


def starts_of(raw: bytearray) -> Iterator[tuple[int, int]]:
    at, size = struct.unpack_from("<QQ", raw, 40)
    end = at + size
    while at < end:
        (length,) = struct.unpack_from("<6xH", raw, at)
        if length >= 16:
            yield at, length
        at += length


# Nothing, -1, and types of record: COMPRESSED, AUXTRACE, TRACING_DATA, SAMPLE
PATCHES = [number.to_bytes(4, "little") for number in (0, (1 << 32) - 1, 81, 71, 66, 9)]


def test_a_recording_whose_perf_was_killed_is_read_and_said(tmp_path: Path) -> None:
    made = Recording(FIELDS)
    made.comm("prog")
    made.sample(10, 0x401620)
    raw = bytearray(made.raw())
    start, size = struct.unpack_from("<QQ", raw, 40)
    raw[48:56] = bytes(8)  # perf writes the size of the data last
    (tmp_path / "perf.data").write_bytes(raw[: start + size])
    batches = oracle.batches_of(tmp_path / "perf.data")
    assert len(oracle.frame_of(batches)) == 1
    limitations = {
        code: each for batch in batches for code, each in batch.facts.limitations.items()
    }
    assert limitations["unfinished"].text.startswith("perf record did not end as it should")


def test_a_copy_that_was_cut_short_says_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "perf.data"
    path.write_bytes(Recording(FIELDS).raw()[:-100])
    with pytest.raises(PerfduckError, match=r"got a broken one: it ends at byte \d+, before a sec"):
        oracle.batches_of(path)


def test_two_recordings_in_one_file_are_refused(tmp_path: Path) -> None:
    made = Recording(FIELDS)
    made.comm("prog")
    raw = made.raw()
    path = tmp_path / "perf.data"
    path.write_bytes(raw * 2)
    with pytest.raises(PerfduckError, match=f"another perf.data begins at byte {len(raw)}: ingest"):
        oracle.batches_of(path)
