"""Every sample of a recording is stored, or said to be left out, whatever happened to its records:
some were lost, written twice, in another order, or their numbers became others."""

import io
import lzma
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import CHAIN, Recording
from rows import mostly_slow
from test_broken import BROKEN, EDGES
from test_callers import DEFER, DEFERRED, HOOK, KERNEL, LBR, LEAF, MIDDLE, TOP, USER, recording
from test_recordings import FIXTURES, OPTIONS

from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.perf_data import importer as perf_data
from perfduck_ingest.perf_data import records
from perfduck_ingest.source import Source
from perfduck_model.errors import PerfduckError
from perfduck_model.zstandard import zstd

PACKED = (records.COMPRESSED, records.COMPRESSED2)


@dataclass(frozen=True)
class Parts:
    """A recording taken apart: what is in front of its records, these, and what is behind them."""

    head: bytes
    records: list[bytes]
    tail: bytes = b""
    is_packed: bool = False

    def joined(self, chosen: list[bytes]) -> bytes:
        """A recording of these records."""
        body = b"".join(packed(chosen) if self.is_packed else chosen)
        if not self.tail:
            return self.head + body
        head, tail = bytearray(self.head), bytearray(self.tail)
        start, size = struct.unpack_from("<QQ", head, 40)
        struct.pack_into("<Q", head, 48, len(body))
        for place in range(int.from_bytes(head[72:104], "little").bit_count()):
            (at,) = struct.unpack_from("<Q", tail, 16 * place)
            struct.pack_into("<Q", tail, 16 * place, at + len(body) - size)
        assert len(head) == start
        return bytes(head) + body + bytes(tail)


def split(raw: bytes) -> list[bytes]:
    """Records one by one, those in packs too; what is behind a record goes with it."""
    found, at, unpack = [], 0, zstd.ZstdDecompressor()
    unpacked = b""
    while at < len(raw):
        kind, _, size = struct.unpack_from("<IHH", raw, at)
        if kind in PACKED:
            unpacked += unpack.decompress(raw[at + 8 : at + size])
        else:
            if kind == records.HEADER_TRACING_DATA:
                size += -(-struct.unpack_from("<I", raw, at + 8)[0] // 8) * 8
            found.append(raw[at : at + size])
        at += size
    return found + (split(unpacked) if unpacked else [])


def packed(chosen: list[bytes]) -> list[bytes]:
    """The records of the kernel in packs, behind those of perf."""
    own = [one for one in chosen if kind_of(one) >= records.HEADER_ATTR]
    kernel = b"".join(one for one in chosen if kind_of(one) < records.HEADER_ATTR)
    packer, packs = zstd.ZstdCompressor(), []
    for at in range(0, len(kernel), 8192):
        pack = packer.compress(kernel[at : at + 8192], packer.FLUSH_BLOCK)
        packs.append(struct.pack("<IHH", records.COMPRESSED, 0, 8 + len(pack)) + pack)
    return own + packs


def kind_of(record: bytes) -> int:
    return int(struct.unpack_from("<I", record)[0])


def parts(raw: bytes, *, is_packed: bool = False) -> Parts:
    if struct.unpack_from("<Q", raw, 8)[0] == 16:
        return Parts(raw[:16], split(raw[16:]), is_packed=is_packed)
    start, size = struct.unpack_from("<QQ", raw, 40)
    end = start + size
    return Parts(raw[:start], split(raw[start:end]), raw[end:], is_packed)


def branches() -> Recording:
    made = recording(CHAIN | records.SAMPLE_BRANCH_STACK, branch_type=LBR)
    for time in range(10, 20):
        calls = [(MIDDLE, 0x401615), (TOP, 0x401638)]
        made.sample(time, HOOK, [KERNEL, HOOK, USER, LEAF], calls[: time % 3], mode=1)
    return made


def deferred() -> Recording:
    made = recording(CHAIN, flags=DEFER)
    for time in range(10, 20):
        made.sample(time, HOOK, [KERNEL, HOOK, DEFERRED, time // 3], mode=1)
        if time % 3 == 2:
            made.user_callers(time, time // 3, [LEAF, MIDDLE])
    return made


MADE: dict[str, Callable[[], Recording]] = {"branches": branches, "deferred": deferred}
RECORDED = ("chains", "events", "packed", "pipe", "pipe-packed", "cgroups", "more-fields")


@cache
def taken_apart(kind: str) -> Parts:
    if kind in MADE:
        return parts(MADE[kind]().raw())
    raw = lzma.decompress((FIXTURES / kind / "recording.data.xz").read_bytes())
    return parts(raw, is_packed="packed" in kind)


def counts(raw: bytes) -> tuple[int, int]:
    """Samples that are stored, and those that are said to be left out."""
    stored = left_out = 0
    with Source("perf.data", io.BytesIO(raw)) as source:
        for batch in perf_data.open(source).batches(ImportOptions(**OPTIONS)):  # type: ignore[arg-type]
            stored += len(batch.samples)
            for _, text, _ in batch.skipped.iter_rows():
                number, _, kind = text.partition(" records of type ")
                left_out += int(number) if kind == "9" else 0
    return stored, left_out


def changed(record: bytes, data: st.DataObject) -> bytes:
    """The record with another number in it."""
    raw = bytearray(record)
    if len(raw) >= 16:
        at = 8 * data.draw(st.integers(1, len(raw) // 8 - 1))
        number = data.draw(st.sampled_from(EDGES) | st.integers(0, (1 << 64) - 1))
        raw[at : at + 8] = number.to_bytes(8, "little")
    return bytes(raw)


def mutated(whole: list[bytes], data: st.DataObject) -> list[bytes]:
    """Some records lost, twice, in another place, changed."""
    found = list(whole)
    for _ in range(data.draw(st.integers(0, 8))):
        place = data.draw(st.integers(0, len(found) - 1))
        if kind_of(found[place]) >= records.HEADER_ATTR:
            continue  # without what perf itself says no record can be read
        what = data.draw(st.sampled_from(["lose", "repeat", "move", "change"]))
        record = found.pop(place)
        if what != "lose":
            other = data.draw(st.integers(place, len(found))) if what == "move" else place
            found.insert(other, changed(record, data) if what == "change" else record)
        if what == "repeat":
            found.insert(place, record)
    return found


@pytest.mark.parametrize("kind", [*RECORDED, *MADE])
def test_taken_apart_and_joined_it_says_the_same(kind: str) -> None:
    whole = taken_apart(kind)
    samples = sum(kind_of(one) == records.SAMPLE for one in whole.records)
    assert counts(whole.joined(whole.records)) == (samples, 0)
    assert samples >= 10


@pytest.mark.slow
@settings(BROKEN, max_examples=12)
@pytest.mark.parametrize("kind", mostly_slow([*RECORDED, *MADE], 4))
@given(data=st.data())
def test_samples_are_stored_or_said_to_be_left_out(kind: str, data: st.DataObject) -> None:
    whole = taken_apart(kind)
    chosen = mutated(whole.records, data)
    samples = sum(kind_of(one) == records.SAMPLE for one in chosen)
    try:
        stored, left_out = counts(whole.joined(chosen))
    except PerfduckError:  # the whole recording is refused
        return
    assert stored + left_out == samples


def test_a_sample_of_an_event_that_is_not_described_is_left_out() -> None:
    """perf script refuses the recording: "failed to process type: 9"."""
    whole = taken_apart("events")
    place = next(i for i, one in enumerate(whole.records) if kind_of(one) == records.SAMPLE)
    record = bytearray(whole.records[place])
    record[8:16] = (1 << 40).to_bytes(8, "little")  # its IDENTIFIER
    chosen = [*whole.records[:place], bytes(record), *whole.records[place + 1 :]]
    stored, left_out = counts(whole.joined(chosen))
    assert (stored, left_out) == (counts(whole.joined(whole.records))[0] - 1, 1)
