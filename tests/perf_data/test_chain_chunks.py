"""Chunks hold the frames of a chain, each in the address space that the marker before it says."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfduck_ingest.perf_data import records
from perfduck_ingest.perf_data.chain_chunks import ChainChunks, chunks_of
from perfduck_ingest.perf_data.mappings import (
    GUEST_KERNEL_SPACE,
    GUEST_USER_SPACE,
    HYPERVISOR_SPACE,
    KERNEL_SPACE,
    address_space_of,
)
from perfduck_ingest.perf_data.sample_columns import Samples
from perfduck_ingest.perf_data.stream import Block
from perfduck_kernels.constants import NO_FRAME

ODD = (1 << 64) - 1
EPOCH = 7
USER_SPACE = int(address_space_of(np.array(EPOCH)))
MARKERS = {
    records.CONTEXT_KERNEL: KERNEL_SPACE,
    records.CONTEXT_USER: USER_SPACE,
    records.CONTEXT_HYPERVISOR: HYPERVISOR_SPACE,
    records.CONTEXT_GUEST_KERNEL: GUEST_KERNEL_SPACE,
    records.CONTEXT_GUEST_USER: GUEST_USER_SPACE,
}
ENTRIES = st.one_of(
    st.integers(0, 9), st.sampled_from(list(MARKERS)), st.sampled_from([*MARKERS, ODD])
)
CHAINS = st.lists(st.lists(ENTRIES, max_size=14), min_size=1, max_size=6)
Frame = tuple[int, int]  # address, address space


def samples_of(chains: list[list[int]]) -> Samples:
    """Samples as they lie in a block: a word in front of each chain says how long it is."""
    words = [word for chain in chains for word in (len(chain), *chain)]
    depth = np.array([len(chain) for chain in chains])
    raw = np.array([0, 0, 0, *words], np.uint64)
    none = np.zeros(0, np.int64)
    block = Block(memoryview(raw).cast("B"), raw, none, raw[:0], none)
    given: dict[str, Any] = {one.name: np.zeros(len(chains), np.int64) for one in fields(Samples)}
    given |= {
        "block": block,
        "ip": np.arange(100, 100 + len(chains), dtype=np.uint64),
        "mode": np.full(len(chains), records.USER),
        "chain": np.cumsum(depth + 1) - depth + 3,
        "depth": depth,
    }
    return Samples(**given)


def frames_of(chain: list[int]) -> list[Frame]:
    """Entry by entry, up to one that is no address."""
    frames, address_space = [], USER_SPACE
    for entry in chain:
        if entry == ODD:
            break
        if entry in MARKERS:
            address_space = MARKERS[entry]
        else:
            frames.append((entry, address_space))
    return frames


def joined(chunks: ChainChunks) -> list[list[Frame]]:
    """The frames of each chain, put together again."""
    chains, at = [], 0
    for count in chunks.counts.tolist():
        chain = []
        for index in range(at, at + count):
            address_space = int(chunks.address_spaces[index])
            chain += [
                (one, address_space) for one in chunks.frames[:, index].tolist() if one != NO_FRAME
            ]
        chains.append(chain)
        at += count
    return chains


@pytest.mark.slow
@given(CHAINS)
def test_chunks_hold_the_frames_of_their_chains(chains: list[list[int]]) -> None:
    """A chain without frames has the address that was hit."""
    chunks = chunks_of(samples_of(chains), np.full(len(chains), EPOCH))
    hit = [[(100 + place, USER_SPACE)] for place in range(len(chains))]
    wanted = [frames_of(chain) or one for chain, one in zip(chains, hit, strict=True)]
    assert joined(chunks) == wanted
    assert chunks.broken == sum(ODD in chain for chain in chains)
