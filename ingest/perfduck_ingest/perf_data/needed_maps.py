"""The mappings that the addresses of new chunks need to be resolved."""

import numpy as np

from perfduck_ingest.perf_data.chain_chunks import Chains
from perfduck_ingest.perf_data.mappings import (
    KERNEL_SPACE,
    Mappings,
    Tables,
    laid_out,
    maps_version_of,
)
from perfduck_kernels.constants import NO_FRAME
from perfduck_model.limits import limits

_MANY_MAPS = 16  # for each chunk of a chain: looking its addresses up is less than laying them out


def maps_needed(chains: Chains, versions: dict[int, Mappings]) -> Tables:
    """Those of the address spaces that are processes' at a time, as far as they are needed.
    `versions`: all mappings of a process at a time, by maps version."""
    spaces = chains.address_spaces
    users, chunks = np.unique(spaces[spaces > KERNEL_SPACE], return_counts=True)
    maps = {one: versions[maps_version_of(one)] for one in users.tolist()}
    few = [
        one
        for one, count in zip(maps, chunks.tolist(), strict=True)
        if len(maps[one]) > max(limits.block_rows, _MANY_MAPS * count)
    ]
    if few:
        maps |= {one: maps[one].at(hit) for one, hit in _addresses_in(chains, few).items()}
    return laid_out(maps)


def _addresses_in(chains: Chains, address_spaces: list[int]) -> dict[int, set[int]]:
    """The addresses of the new chunks in each of these address spaces."""
    addresses: dict[int, set[int]] = {one: set() for one in address_spaces}
    chosen = np.flatnonzero(np.isin(chains.address_spaces, address_spaces))
    for frames in chains.frames.take(chosen, axis=1):
        is_frame = frames != NO_FRAME
        spaces = chains.address_spaces[chosen[is_frame]]
        for one, address in zip(spaces.tolist(), frames[is_frame].tolist(), strict=True):
            addresses[one].add(address)
    return addresses
