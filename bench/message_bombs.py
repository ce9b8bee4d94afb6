"""Bombs of pprof, OTLP and the Firefox Profiler: messages that become many times as much in memory,
or in time."""

import json
from collections.abc import Callable, Iterator

from bomb import MB, Bomb, Chunks

_SAMPLE_TYPE = b"\x0a\x04\x08\x01\x10\x02"  # texts 1 and 2
_LINES = 1_000_000
_TEXTS = (b"", b"cpu", b"nanoseconds", b"f")


def _varint(number: int) -> bytes:
    head = bytearray()
    while number > 0x7F:
        head.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*head, number))


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _names() -> bytes:
    return _field(5, b"\x08\x01\x10\x03") + b"".join(_field(6, text) for text in _TEXTS)


def _location(number: int, lines: bytes) -> bytes:
    return _field(4, b"\x08" + _varint(number) + lines)


def _frames(samples: int) -> Chunks:
    """Each sample a stack of its own, of a million functions in one location and one in another."""
    yield _SAMPLE_TYPE + _location(1, b"\x22\x02\x08\x01" * _LINES)
    for number in range(2, samples + 2):
        yield _location(number, b"\x22\x02\x08\x01" * number)
        yield _field(2, _field(1, b"\x01" + _varint(number)) + _field(2, b"\x01"))
    yield _names()


def _samples(count: int, frames: int) -> Chunks:
    """Stacks that differ, of a thousand locations."""
    yield _SAMPLE_TYPE + b"".join(
        _location(number, b"\x22\x02\x08\x01" * (number % 7 + 1)) for number in range(1, 1001)
    )
    for number in range(count):
        places = (1 + number * 7919 // 1000**place % 1000 for place in range(frames))
        yield _field(2, _field(1, b"".join(map(_varint, places))) + _field(2, b"\x01"))
    yield _names()


def _tables(count: int) -> Iterator[bytes]:
    """Functions, locations and texts."""
    yield _SAMPLE_TYPE + _field(2, _field(1, b"\x01") + _field(2, b"\x01"))
    for number in range(1, count):
        named = b"\x08" + _varint(number)
        line = _field(4, named)
        yield _location(number, line) + _field(5, named + b"\x10" + _varint(number % count))
    yield b"".join(_field(6, text) for text in _TEXTS)
    for number in range(len(_TEXTS), count):
        yield _field(6, b"f%d" % number)


def _two_bytes(size: int) -> Callable[[], Chunks]:
    return lambda: iter([_SAMPLE_TYPE, _location(1, b"\x22\x00" * (size // 2)), _names()])


def _resource(size: int) -> Callable[[], Chunks]:
    """OTLP: attributes without a key or a value, before a profile."""
    resource = _field(1, b"\x0a\x00" * (size // 2))
    scope = _field(2, _field(2, _field(2, b"\x08\x01")))
    return lambda: iter([_field(1, scope + resource), _field(2, b"\x0a\x00\x12\x00")])


def _threads(count: int, functions: int) -> Chunks:
    """Firefox: threads of one sample each, which share all functions."""
    rows, none = list(range(functions)), [-1] * functions
    shared = {
        "stringArray": [f"f{number}" for number in rows],
        "stackTable": {"frame": rows, "prefix": [None] * functions},
        "frameTable": {"func": rows, "address": none},
        "funcTable": {"name": rows, "resource": none},
    }
    yield b'{"meta":{"preprocessedProfileVersion":60},"shared":' + json.dumps(shared).encode()
    for number in range(count):
        samples = {"stack": [number % functions], "weight": [1]}
        thread = {"pid": "1", "tid": number, "samples": samples}
        yield (b"," if number else b',"threads":[') + json.dumps(thread).encode()
    yield b"]}"


MESSAGE_BOMBS = [
    Bomb("Firefox, 1,000 threads that share 1 M functions", lambda: _threads(1000, MB), ".raw"),
    Bomb("pprof, 16 M frames of 16 samples", lambda: _frames(16), ".raw"),
    Bomb("pprof, 33 M frames of 33 samples", lambda: _frames(33), ".raw"),
    Bomb("pprof, 4 M samples of 4 locations", lambda: _samples(4 * MB - 1, 4), ".raw"),
    Bomb("pprof, 500,000 samples of 32 locations", lambda: _samples(500_000, 32), ".raw"),
    Bomb("pprof, 1 M locations, functions and texts", lambda: _tables(MB), ".raw"),
    Bomb("pprof, 8 MB of two-byte messages", _two_bytes(8 * MB - 64), ".raw"),
    Bomb("pprof, 64 MB of two-byte messages", _two_bytes(64 * MB - 64), ".raw"),
    Bomb("OTLP, 8 MB of two-byte attributes", _resource(8 * MB - 64), ".raw"),
    Bomb("OTLP, 60 MB of two-byte attributes", _resource(60 * MB), ".raw"),
]
