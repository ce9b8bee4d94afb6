"""Content-addressed ids: the same symbol or stack has the same id on every machine.

64 bits of blake2b over the normalised content, read as a signed little-endian integer. A million
ids collide with a probability of 3e-8; a collision mislabels one stack and corrupts nothing.
"""

from collections.abc import Iterable
from hashlib import blake2b
from itertools import pairwise

import numpy as np
import numpy.typing as npt


def _id(content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little", signed=True)


def symbol_id(name: str, dso: str, address: int | None = None) -> int:
    """Identity of a function: its name and dso; the address only where it has no name."""
    where = "" if address is None else f"{address:x}"
    return _id(f"{name}\0{dso}\0{where}".encode("utf-8", "surrogateescape"))


def stack_id(symbol_ids: npt.NDArray[np.int64] | Iterable[int]) -> int:
    """Identity of a call chain: its symbol ids, leaf first."""
    return _id(np.asarray(symbol_ids, dtype="<i8").tobytes())


def stack_ids(
    symbol_ids: npt.NDArray[np.int64], bounds: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Identities of call chains that stand one behind the other, each between two bounds."""
    content = symbol_ids.astype("<i8").tobytes()
    places = pairwise((8 * bounds).tolist())
    digests = [blake2b(content[start:end], digest_size=8).digest() for start, end in places]
    return np.frombuffer(b"".join(digests), "<i8").astype(np.int64)


def profile_id(content_hash: str) -> int:
    """Identity of a recording: its bytes."""
    return _id(content_hash.encode())
