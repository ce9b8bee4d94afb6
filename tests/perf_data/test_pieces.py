"""Pieces hold the frames of a chain, each in the space that the marker before it says."""

from dataclasses import fields
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perfduck_ingest.perf_data import records
from perfduck_ingest.perf_data.maps import KERNEL_SPACE, space_of
from perfduck_ingest.perf_data.pieces import NO_FRAME, WIDTH, Pieces, pieces_of
from perfduck_ingest.perf_data.samples import Samples
from perfduck_ingest.perf_data.stacks import _keys, _terms
from perfduck_ingest.perf_data.stream import Block

ODD = (1 << 64) - 1
MARKERS = (records.CONTEXT_KERNEL, records.CONTEXT_USER, records.CONTEXT_HYPERVISOR, ODD)
ENTRIES = st.one_of(st.integers(0, 9), st.sampled_from(MARKERS[:3]), st.sampled_from(MARKERS))
CHAINS = st.lists(st.lists(ENTRIES, max_size=14), min_size=1, max_size=6)
EPOCH = 7
Frame = tuple[int, int]  # address, space


def samples_of(chains: list[list[int]], *, has_stack_copies: bool) -> Samples:
    """Samples as they lie in a block: a word in front of each chain says how long it is."""
    words = [word for chain in chains for word in (len(chain), *chain)]
    depth = np.array([len(chain) for chain in chains])
    raw = np.array([0, 0, 0, *words], np.uint64)
    none = np.zeros(0, np.int64)
    block = Block(memoryview(raw).cast("B"), raw, none, raw[:0], none)
    given: dict[str, Any] = {one.name: np.zeros(len(chains), np.int64) for one in fields(Samples)}
    given |= {
        "block": block,
        "has_stack_copies": has_stack_copies,
        "ip": np.arange(100, 100 + len(chains), dtype=np.uint64),
        "in_kernel": np.zeros(len(chains), np.bool_),
        "chain": np.cumsum(depth + 1) - depth + 3,
        "depth": depth,
    }
    return Samples(**given)


def frames_of(chain: list[int]) -> list[Frame]:
    """Entry by entry."""
    if ODD in chain:
        return []
    frames, space = [], int(space_of(np.array(EPOCH)))
    for entry in chain:
        if entry == records.CONTEXT_KERNEL:
            space = KERNEL_SPACE
        elif entry in MARKERS:
            space = int(space_of(np.array(EPOCH)))
        else:
            frames.append((entry, space))
    return frames


def joined(pieces: Pieces) -> list[list[Frame]]:
    """The frames of each chain, put together again."""
    chains, at = [], 0
    for count in pieces.counts.tolist():
        chain = []
        for piece in range(at, at + count):
            space = int(pieces.spaces[piece])
            chain += [(one, space) for one in pieces.frames[:, piece].tolist() if one != NO_FRAME]
        chains.append(chain)
        at += count
    return chains


@given(CHAINS)
def test_pieces_hold_the_frames_of_their_chains(chains: list[list[int]]) -> None:
    pieces = pieces_of(samples_of(chains, has_stack_copies=False), np.full(len(chains), EPOCH))
    assert joined(pieces) == [frames_of(chain) for chain in chains]


@given(CHAINS)
def test_a_chain_that_is_not_unwound_has_the_address_that_was_hit(chains: list[list[int]]) -> None:
    pieces = pieces_of(samples_of(chains, has_stack_copies=True), np.full(len(chains), EPOCH))
    hit = [[(100 + place, int(space_of(np.array(EPOCH))))] for place in range(len(chains))]
    wanted = [frames_of(chain) or one for chain, one in zip(chains, hit, strict=True)]
    assert joined(pieces) == wanted


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=12))
def test_the_same_symbols_have_the_same_key_and_others_another(chains: list[list[int]]) -> None:
    counts = np.array([-(-len(chain) // WIDTH) for chain in chains])
    flat = [one for chain in chains for one in [-1] * (-len(chain) % WIDTH) + chain]
    symbols = np.array(flat, np.int32).reshape(-1, WIDTH)
    keys = _keys(_terms(symbols), np.cumsum(counts) - counts, counts).tolist()
    distinct = set(map(tuple, chains))
    assert len(set(zip(map(tuple, chains), keys, strict=True))) == len(distinct)
    assert len(set(keys)) == len(distinct)
