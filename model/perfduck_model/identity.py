"""Content-addressed ids: the same symbol or stack has the same id on every machine.

64 bits of blake2b over the normalised content, read as a signed little-endian integer. A million
ids collide with a probability of 3e-8; a collision mislabels one stack and corrupts nothing.
"""

from collections.abc import Iterable
from hashlib import blake2b
from itertools import pairwise, starmap

import numpy as np

from perfduck_model.arrays import Int64


def _id(content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little", signed=True)


def _ids(contents: Iterable[bytes]) -> Int64:
    digests = b"".join([blake2b(one, digest_size=8).digest() for one in contents])
    return np.frombuffer(digests, "<i8").astype(np.int64)


def symbol_id(name: str, dso: str, address: int | None = None) -> int:
    """Identity of a function: its name and dso; the address only where it has no name."""
    return _id(_symbol(name, dso, address))


def symbol_ids(rows: Iterable[tuple[str, str, int | None]]) -> Int64:
    """Identities of functions, given the name, dso and address of each."""
    return _ids(starmap(_symbol, rows))


def _symbol(name: str, dso: str, address: int | None) -> bytes:
    where = "" if address is None else f"{address:x}"
    return f"{name}\0{dso}\0{where}".encode("utf-8", "surrogateescape")


def stack_id(symbol_ids: Int64 | Iterable[int]) -> int:
    """Identity of a call chain: its symbol ids, leaf first."""
    return _id(np.asarray(symbol_ids, dtype="<i8").tobytes())


def stack_ids(symbol_ids: Int64, lengths: Int64) -> Int64:
    """Identities of call chains, one behind the other in `symbol_ids`."""
    content = symbol_ids.astype("<i8").tobytes()
    ends = [0, *(8 * np.cumsum(lengths)).tolist()]
    return _ids(content[start:end] for start, end in pairwise(ends))


def profile_id(content_hash: str) -> int:
    """Identity of a recording: its bytes."""
    return _id(content_hash.encode())
