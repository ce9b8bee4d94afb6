"""Recordings of perf record that were made to eat memory or time."""

import random
import struct
from collections.abc import Iterable

from bomb import GB, MB, Bomb, Chunks, many

from perfduck_model.zstandard import zstd


def _perf_data(
    attributes: Chunks | None = None,
    data: Chunks | None = None,
    *,
    attr_bytes: int = 144,
    attrs_bytes: int = 0,
    data_bytes: int = 0,
) -> Chunks:
    """A file of perf record: header, attributes, records."""
    yield b"PERFILE2" + struct.pack(
        "<12Q", 104, attr_bytes, 104, attrs_bytes, 104 + attrs_bytes, data_bytes, 0, 0, 0, 0, 0, 0
    )
    yield from attributes or ()
    yield from data or ()


_ATTRIBUTE = struct.pack("<IIQQQQQ", 1, 136, 0, 1000000, 0x1 | 0x2 | 0x4, 0, 0).ljust(136, b"\0")
_ENTRY = (_ATTRIBUTE[:128] + struct.pack("<QQ", 0, 0)).ljust(144, b"\0")[:144]


def _pipe(*records: bytes, fields: int = 7) -> Chunks:
    """What `perf record -o -` writes, with these fields of samples."""
    yield b"PERFILE2" + struct.pack("<Q", 16)
    attr = struct.pack("<IIQQQQQ", 1, 136, 0, 1000000, fields, 0, 0).ljust(136, b"\0")
    yield struct.pack("<IHH", 64, 0, 8 + len(attr) + 8) + attr + struct.pack("<Q", 1)
    yield from records


def _compressed_record(size: int) -> bytes:
    packed = zstd.compress(struct.pack("<IHHQQ", 10, 0, 24, 0, 0) * (size // 24), 19)
    assert len(packed) < 65000, len(packed)
    return struct.pack("<IHH", 81, 0, 8 + len(packed)) + packed


def _comms(count: int) -> Chunks:
    """Records that name so many threads, each another."""
    import numpy as np

    row = np.dtype(
        [
            ("type", "<u4"),
            ("misc", "<u2"),
            ("size", "<u2"),
            ("pid", "<u4"),
            ("tid", "<u4"),
            ("comm", "S16"),
        ]
    )
    for first in range(0, count, 1 << 16):
        rows = np.zeros(1 << 16, row)
        rows["type"], rows["size"] = 3, 32
        rows["pid"] = rows["tid"] = np.arange(first, first + (1 << 16))
        rows["comm"] = [b"c%d" % n for n in range(first, first + (1 << 16))]
        yield rows.tobytes()


def _records(count: int, kind: int, *fields: str) -> Chunks:
    """So many records of a kind, whose fields (of 8 bytes) are numbered through: n, or 0."""
    import numpy as np

    size = 8 + 8 * len(fields)
    for first in range(0, count, 1 << 16):
        rows = np.zeros((1 << 16, size // 8), "<u8")
        rows[:, 0] = kind | size << 48
        for place, field in enumerate(fields, 1):
            rows[:, place] = np.arange(first, first + (1 << 16)) if field == "n" else int(field)
        yield rows.tobytes()


def _processes(count: int) -> Chunks:
    """Records of so many processes (up to 4 M), each with a mapping of its own."""
    import numpy as np

    for first in range(0, count, 1 << 16):
        rows = np.zeros((1 << 16, 6), "<u8")
        rows[:, 0] = 1 | 48 << 48
        rows[:, 1] = np.arange(first, first + (1 << 16))
        rows[:, 2], rows[:, 3], rows[:, 5] = 4096, 4096, int.from_bytes(b"/x", "little")
        yield rows.tobytes()


def _map(pid: int, start: int) -> bytes:
    return struct.pack("<IHHIIQQQQ", 1, 2, 48, pid, pid, start, 1 << 12, 0, ord("x"))


def _sample(pid: int, address: int) -> bytes:
    return struct.pack("<IHHQII", 9, 2, 24, address, pid, pid)


def _mapped_and_sampled(places: Iterable[int]) -> Chunks:
    """A process maps file after file, with a sample after each: each sees other maps."""
    for n in places:
        yield _map(1, n << 12) + _sample(1, n << 12)


def _shuffled(count: int) -> list[int]:
    return random.Random(1).sample(range(count), count)


def _families(maps: int, children: int, *, is_chain: bool) -> Chunks:
    """A process of many maps whose children (or they and theirs) each map one more."""
    for n in range(1, maps):
        yield _map(1, n << 12)
    for pid in range(2, children):
        parent = pid - 1 if is_chain else 1
        yield struct.pack("<IHHIIIIQ", 7, 0, 32, pid, parent, pid, parent, 0)
        yield _map(pid, 1 << 40) + _sample(pid, 1 << 12)
        ended = pid - 1 if is_chain else pid
        yield struct.pack("<IHHIIIIQ", 4, 0, 32, ended, 1, ended, 1, 0)


def _covered(count: int) -> Chunks:
    """Maps beside each other, which one covers again and again."""
    for n in range(1, count):
        yield _map(1, n << 12) + _sample(1, n << 12)
        if n % 1000 == 0:
            yield struct.pack("<IHHIIQQQQ", 1, 2, 48, 1, 1, 0, 1 << 60, 0, ord("y"))


def _deferred(count: int, *, is_answered: bool) -> Chunks:
    """Samples (--call-graph fp,defer) that wait for their callers, each under other maps; or
    callers whose samples never come."""
    flags = 1 << 38  # defer_callchain
    attribute = struct.pack("<IIQQQQQ", 1, 136, 0, 1000000, 0x1 | 0x2 | 0x20, 0, flags)
    yield b"PERFILE2" + struct.pack("<QIHH", 16, 64, 0, 152) + attribute.ljust(136, b"\0")
    yield struct.pack("<Q", 1)
    for n in range(count):
        if is_answered:
            yield struct.pack("<IHHQQQ", 22, 2, 32, n, 1, 4096)
        else:
            chain = (2, (1 << 64) - 640, n + 1)
            yield _map(1, (n % 50_000) << 12)
            yield struct.pack("<IHHQIIQQQ", 9, 2, 48, 4096, 1, 1, *chain)


def _named_and_sampled(count: int) -> Chunks:
    """A thread gets name after name, with a sample after each."""
    for n in range(count):
        yield struct.pack("<IHHII16s", 3, 0, 32, 1, 1, b"c%d" % n) + _sample(1, 4096)


def _branches(count: int) -> Chunks:
    """Samples with 2,700 branches each (--call-graph lbr), and chains of as many entries."""
    attribute = struct.pack("<IIQQQQQ", 1, 136, 0, 1000000, 0x1 | 0x2 | 0x20 | 0x800, 0, 0)
    yield b"PERFILE2" + struct.pack("<QIHH", 16, 64, 0, 152) + attribute.ljust(136, b"\0")
    yield struct.pack("<Q", 1)
    for n in range(count):
        body = struct.pack("<QII", 4096, 1, 1) + struct.pack("<Q", 2000) + bytes(8) * 2000
        body += struct.pack("<Q", 2000) + struct.pack("<3Q", n, n, 0) * 2000
        yield struct.pack("<IHH", 9, 2, len(body) + 8) + body


def _maps(count: int) -> Chunks:
    """Records of so many mappings of files with long names, each another."""
    for n in range(count):
        name = (b"/%d/" % n).ljust(4000, b"a") + b"\0" * 8
        yield struct.pack("<IHHIIQQQ", 1, 2, 40 + len(name), 1, 1, n << 12, 1 << 12, 0) + name


PERF_DATA_BOMBS = [
    Bomb(
        "perf.data, 4 GB of zeros",
        lambda: _perf_data(
            data=many(b"\0", 4 * GB),
            attributes=iter([_ENTRY]),
            attrs_bytes=144,
            data_bytes=4 * GB,
        ),
    ),
    Bomb(
        "perf.data, 1 GB of attributes",
        lambda: _perf_data(attributes=many(_ENTRY, GB), attrs_bytes=GB // MB * (MB // 144 * 144)),
    ),
    Bomb("perf.data, pack of 700 MB", lambda: _pipe(_compressed_record(GB * 2 // 3)), ""),
    Bomb("perf.data, 64 packs of 512 MB", lambda: _pipe(*[_compressed_record(GB // 2)] * 64), ""),
    Bomb("perf.data, 8 M comms", lambda: _pipe(*[b""], *_comms(8 << 20))),
    Bomb("perf.data, 200,000 maps", lambda: _pipe(*_maps(200_000))),
    Bomb("perf.data, 4 M processes", lambda: _pipe(*[b""], *_processes(4 << 20))),
    Bomb("perf.data, 8 M forks", lambda: _pipe(*[b""], *_records(8 << 20, 7, "n", "0", "0"))),
    Bomb(
        "perf.data, 8 M kernel symbols",
        lambda: _pipe(*[b""], *_records(8 << 20, 17, "n", "16", "97")),
    ),
    Bomb("perf.data, 8 M control groups", lambda: _pipe(*[b""], *_records(8 << 20, 19, "n", "97"))),
    Bomb(
        "perf.data, 262,144 maps seen",
        lambda: _pipe(b"", *_mapped_and_sampled(range(1, 1 << 18)), fields=3),
    ),
    Bomb(
        "perf.data, 262,144 maps seen, last first",
        lambda: _pipe(b"", *_mapped_and_sampled(range(1 << 18, 0, -1)), fields=3),
    ),
    Bomb(
        "perf.data, 262,144 maps seen, in no order",
        lambda: _pipe(b"", *_mapped_and_sampled(_shuffled(1 << 18)), fields=3),
    ),
    Bomb(
        "perf.data, maps that are covered",
        lambda: _pipe(b"", *_covered(1 << 19), fields=3),
    ),
    Bomb(
        "perf.data, 130,000 children of a process of 130,000 maps",
        lambda: _pipe(b"", *_families(1 << 17, 1 << 17, is_chain=False), fields=3),
    ),
    Bomb(
        "perf.data, 130,000 generations of 130,000 maps",
        lambda: _pipe(b"", *_families(1 << 17, 1 << 17, is_chain=True), fields=3),
    ),
    Bomb("perf.data, 4 M callers without a sample", lambda: _deferred(4 << 20, is_answered=True)),
    Bomb(
        "perf.data, 500,000 samples without callers", lambda: _deferred(1 << 19, is_answered=False)
    ),
    Bomb(
        "perf.data, 2 M names of a thread seen",
        lambda: _pipe(b"", *_named_and_sampled(2 << 20), fields=3),
    ),
    Bomb("perf.data, 1 GB of branches", lambda: _branches(15_500)),
    Bomb("perf.data, 1 GB of rounds", lambda: _pipe(b"", *many(struct.pack("<IHH", 68, 0, 8), GB))),
    Bomb(
        "perf.data, 8 M build ids",
        lambda: _pipe(b"", *_records(8 << 20, 67, "1", "n", "n", "0", "n")),
    ),
    Bomb(
        "perf.data, 8 M names of events", lambda: _pipe(b"", *_records(8 << 20, 78, "2", "n", "n"))
    ),
    Bomb(
        "perf.data, 4 M packs of nothing",
        lambda: _pipe(b"", *many(_compressed_record(0), 70 * MB)),
        "",
    ),
    Bomb(
        "perf.data, trace of 4 GB behind its record",
        lambda: _pipe(struct.pack("<IHH6Q", 71, 0, 56, 4 * GB, *[0] * 5), *many(b"\0", 4 * GB)),
    ),
    Bomb("perf.data, tracing data of 4 GB", lambda: _traced(4 * GB)),
]


def _traced(size: int) -> Chunks:
    tail = (size - 8) & 0xFFFFFFFF
    yield from _pipe(struct.pack("<IHHI", 66, 0, 12, tail) + b"\x17\x08\x44tracing")
    yield from many(b"\0", size)
