"""Recordings are read in parts, from files and pipes."""

import bz2
import gzip
import io
import lzma
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import xxhash
from rows import mostly_slow

from perfduck_ingest.source import Source
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits
from perfduck_model.zstandard import zstd

CONTENT = b"".join(b"entry %d\n" % number for number in range(300_000))


def last_start(part: memoryview) -> int:
    return bytes(part).rfind(b"\n", 0, -1) + 1


@pytest.mark.parametrize("size", [1000, 100_003, len(CONTENT), 2 * len(CONTENT)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_parts_are_the_content_cut_where_entries_start(
    size: int, pack: Callable[[bytes], bytes]
) -> None:
    source = Source("x", io.BytesIO(pack(CONTENT)))
    parts = [bytes(part) for part in source.parts(size, last_start)]
    assert b"".join(parts) == CONTENT
    assert all(part.startswith(b"entry ") and part.endswith(b"\n") for part in parts)
    assert max(map(len, parts)) <= max(size, limits.head_bytes) + size
    assert source.bytes_read == len(CONTENT)
    assert source.digest.digest() == xxhash.xxh3_128(CONTENT).digest()


PACKINGS = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress, "zst": zstd.compress}
MEGABYTE = b"".join(b"entry %025d\n" % number for number in range(32_768))


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", mostly_slow([25, 1, 24, 64, 200], 5))
@pytest.mark.parametrize("packing", PACKINGS)
def test_packed_recordings_of_any_size_are_read_whole(packing: str, megabytes: int) -> None:
    # Members one after the other are a file of all these formats, and quickly made.
    packed = PACKINGS[packing](MEGABYTE) * megabytes
    source = Source("x", io.BytesIO(packed))
    # An importer asks for 24 MB; 25 MB and this are borders inside of what was read before.
    sizes = [len(part) for part in source.parts((24 << 20) + 7, last_start)]
    assert sum(sizes) == source.bytes_read == megabytes * len(MEGABYTE)
    assert all(size % 32 == 0 for size in sizes)


@pytest.mark.parametrize(
    "packing",
    ["gz", "zst", *(pytest.param(slow, marks=pytest.mark.slow) for slow in ("xz", "bz2"))],
)
def test_one_member_is_read_whole_wherever_the_parts_end(packing: str) -> None:
    packed = PACKINGS[packing](MEGABYTE * 25)
    for size in (1_000_003, (24 << 20) - 1, 24 << 20, (25 << 20) - 1, 25 << 20, 26 << 20):
        source = Source("x", io.BytesIO(packed))
        parts = [bytes(part) for part in source.parts(size, last_start)]
        assert b"".join(parts) == MEGABYTE * 25


@pytest.mark.slow
def unpacked(packed: bytes) -> bytes:
    return b"".join(map(bytes, Source("x", io.BytesIO(packed)).parts(1000, last_start)))


@pytest.mark.slow
@pytest.mark.parametrize("packing", ["gz", "xz", "bz2"])
@pytest.mark.parametrize("zeros", [4, 512, 100_000])
def test_zeros_between_streams_and_behind_them_are_padding(packing: str, zeros: int) -> None:
    pack, padding = PACKINGS[packing], bytes(zeros)
    assert unpacked(pack(CONTENT) + padding + pack(CONTENT) + padding) == 2 * CONTENT


@pytest.mark.slow
@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("between", [b"x", b"garbage!" * 5000])
def test_what_is_no_stream_behind_one_is_an_error(packing: str, between: bytes) -> None:
    pack = PACKINGS[packing]
    for more in (between, between + pack(CONTENT), pack(CONTENT) + between):
        with pytest.raises(PerfduckError, match="expected a whole compressed file, got"):
            unpacked(pack(CONTENT) + more)


@pytest.mark.parametrize("kind", range(16))
def test_skippable_frames_of_all_kinds_are_skipped(kind: int) -> None:
    frame = bytes([0x50 + kind]) + b"\x2a\x4d\x18\5\0\0\0abcde"
    packed = zstd.compress(CONTENT)
    assert unpacked(frame + packed + frame + packed + frame) == 2 * CONTENT


@pytest.mark.slow
@pytest.mark.parametrize("packing", PACKINGS)
def test_a_packed_recording_that_is_cut_off_is_an_error(packing: str) -> None:
    packed = PACKINGS[packing](CONTENT)
    for end in (len(packed) // 2, len(packed) - 3):
        with pytest.raises(PerfduckError, match="x: expected a whole compressed file, got"):
            list(Source("x", io.BytesIO(packed[:end])).parts(1000, last_start))


def test_an_entry_may_be_longer_than_a_part() -> None:
    source = Source("x", io.BytesIO(CONTENT))
    whole = [bytes(part) for part in source.parts(1000, lambda _: 0)]
    assert whole == [CONTENT]


def test_memory_is_used_again_and_never_while_somebody_looks_at_it() -> None:
    source = Source("x", io.BytesIO(CONTENT))
    kept, addresses = [], set()
    for number, part in enumerate(source.parts(100_000, last_start)):
        letters = np.frombuffer(part, np.uint8)
        if number % 8 == 0:
            kept.append((letters[10:20], bytes(part[10:20])))
        addresses.add(letters.ctypes.data)
    assert all(view.tobytes() == content for view, content in kept)
    assert len(kept) > 3
    assert len(addresses) < number


@pytest.mark.slow
def test_what_comes_through_a_pipe_in_small_pieces_is_whole() -> None:
    writer = "import os; [os.write(1, b'entry %d\\n' % n) for n in range(2000)]"
    reader = (
        "import sys; from perfduck_ingest.source import Source; "
        "sys.stdout.buffer.writelines(Source('-').parts(1000, len))"
    )
    with subprocess.Popen([sys.executable, "-c", writer], stdout=subprocess.PIPE) as writing:
        done = subprocess.run(
            [sys.executable, "-c", reader], stdin=writing.stdout, capture_output=True
        )
    assert done.stdout == b"".join(b"entry %d\n" % number for number in range(2000))
