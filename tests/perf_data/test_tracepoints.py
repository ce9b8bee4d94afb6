"""Tracepoints that only the tracing data name, as in pipes of a perf before 4.17."""

import io
import lzma
import struct

import oracle
import pytest
from set_limits import SetLimits
from test_recordings import FIXTURES, OPTIONS, perf_rows

from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.perf_data import features, records
from perfduck_ingest.perf_data import importer as perf_data
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch
from perfduck_model.errors import PerfduckError

PIPE = lzma.decompress((FIXTURES / "pipe-packed" / "recording.data.xz").read_bytes())
NAME = "sched:sched_process_fork"


def read(raw: bytes) -> list[Batch]:
    with Source("perf.data", io.BytesIO(raw)) as source:
        return list(perf_data.open(source).batches(ImportOptions(**OPTIONS)))  # type: ignore[arg-type]


def undescribed(raw: bytes) -> bytes:
    """A pipe without EVENT_DESC and EVENT_UPDATE, which name events in newer ones."""
    kept, at = bytearray(raw[:16]), 16
    while at < len(raw):
        kind, _, size = struct.unpack_from("<IHH", raw, at)
        number = struct.unpack_from("<I", raw, at + 8)[0] if size > 8 else 0
        if kind == records.HEADER_TRACING_DATA:
            size += -(-number // 8) * 8
        described = kind == records.HEADER_FEATURE and number == features.EVENT_DESC
        if kind != records.EVENT_UPDATE and not described:
            kept += raw[at : at + size]
        at += size
    return bytes(kept)


def without_description() -> bytes:
    """A file likewise: the bit of EVENT_DESC cleared, and its entry in the table taken out."""
    raw = bytearray(lzma.decompress((FIXTURES / "events" / "recording.data.xz").read_bytes()))
    data_at, data_size, _, _, bits = struct.unpack_from("<5Q", raw, 40)
    place = sum(bits >> bit & 1 for bit in range(features.EVENT_DESC))
    at = data_at + data_size + 16 * place
    rest = data_at + data_size + 16 * bits.bit_count()
    raw[at : rest - 16] = raw[at + 16 : rest]
    struct.pack_into("<Q", raw, 72, bits & ~(1 << features.EVENT_DESC))
    return bytes(raw)


@pytest.mark.parametrize("block", [8 << 20, 4096, 520])
def test_a_pipe_names_them(block: int, set_limits: SetLimits) -> None:
    set_limits(head_bytes=min(block, 1 << 16), block_bytes=block)
    wanted = perf_rows("pipe-packed")
    assert NAME in {row[6] for row in wanted}
    got = oracle.said_by_us(read(undescribed(PIPE)))
    assert oracle.differences(wanted, got) == ({}, {})


def test_a_file_names_them() -> None:
    got = {row[6] for row in oracle.said_by_us(read(without_description()))}
    assert got == {row[6] for row in perf_rows("events")}


def test_tracing_data_that_are_broken_are_said() -> None:
    raw = bytearray(undescribed(PIPE))
    at = raw.index(b"\x17\x08\x44tracing")
    raw[at + 3 : at + 10] = b"another"
    with pytest.raises(PerfduckError, match="broken one: tracing data that begin with"):
        read(bytes(raw))
    assert NAME in {
        row[6]
        for row in oracle.said_by_us(read(PIPE.replace(b"\x08\x44tracing", b"\x08\x44another")))
    }
