"""What a bomb is, and the pieces that bombs are made of."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

MB, GB = 1 << 20, 1 << 30
SAMPLE = (
    b"x 1 [000] 1.500000: 1001001 cpu-clock: \n\tffffffff821f2fa7 f+0xd7 ([kernel.kallsyms])\n\n"
)
HEAD = SAMPLE * 100
Chunks = Iterator[bytes]


def many(piece: bytes, size: int) -> Chunks:
    """The piece again and again, about so many bytes."""
    block = piece * max(MB // len(piece), 1)
    for _ in range(max(size // len(block), 1)):
        yield block


def within(before: bytes, piece: bytes, size: int, behind: bytes) -> Callable[[], Chunks]:
    def chunks() -> Chunks:
        yield before
        yield from many(piece, size)
        yield behind

    return chunks


@dataclass(frozen=True)
class Bomb:
    """A file, how it is packed, and the command that reads it: BOMB represents its path, GOOD for
    a small recording and DATA for one of perf record."""

    name: str
    chunks: Callable[[], Chunks]
    ending: str = ".zst"
    command: tuple[str, ...] = ("ingest", "BOMB")


def given(option: str, value: str = "BOMB", recording: str = "GOOD") -> tuple[str, ...]:
    return ("ingest", recording, option, value)
