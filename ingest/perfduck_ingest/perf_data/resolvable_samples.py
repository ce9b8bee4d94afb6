"""What session.py hands over for its addresses to be resolved, by this process or another one:
samples, and the mappings that the addresses of new chunks need."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from perfduck_ingest.perf_data import records
from perfduck_ingest.perf_data.chain_chunks import Chains
from perfduck_ingest.perf_data.features import PerfRecording
from perfduck_ingest.perf_data.mappings import (
    KERNEL_SPACE,
    Mappings,
    Tables,
    laid_out,
    maps_version_of,
)
from perfduck_ingest.perf_data.sample_columns import Samples
from perfduck_ingest.perf_data.task_events import KernelSymbol, Mapping
from perfduck_kernels.constants import NO_FRAME
from perfduck_model.arrays import Bool, Int32, Int64
from perfduck_model.limits import limits

_MANY_MAPS = 16  # for each chunk of a chain: looking its addresses up is less than laying them out


@dataclass(frozen=True, slots=True)
class SampleFields:
    """Fields of samples: see samples.py."""

    event: Int64
    pid: Int32
    tid: Int32
    cpu: Int32
    cgroup: Int64
    netns: Int64
    time: Int64
    timed: Bool
    period: Int64

    @classmethod
    def of(cls, parts: list[Samples]) -> "SampleFields":
        """Those of several blocks, as narrow as the store has them."""
        narrow = {"pid": np.int32, "tid": np.int32, "cpu": np.int32, "timed": np.bool_}
        return cls(
            *(
                np.concatenate(
                    [getattr(part, name) for part in parts], dtype=narrow.get(name, np.int64)
                )
                for name in cls.__slots__
            )
        )


@dataclass(slots=True)
class RecordingMetadata:
    """What has been read of a recording, apart from its samples."""

    recording: PerfRecording
    cgroups: dict[int, str] = field(default_factory=dict)
    # The same losses are counted twice: by the buffer, and, since perf 6.1, by the event.
    lost_by_buffer: int = 0
    lost_by_event: int = 0
    # How many records of each type were skipped, or not understood.
    skipped: Int64 = field(default_factory=lambda: np.zeros(records.TYPES, np.int64))
    limitations: Counter[str] = field(default_factory=Counter)  # see limitations.py
    trace_bytes: int = 0  # of processors, which are not decoded


@dataclass(frozen=True, slots=True)
class ResolvableSamples:
    """Samples before which nothing can come any more."""

    columns: SampleFields
    comm: Int32  # place in the list of comms
    chains: Chains
    maps: Tables  # of the address spaces of new chunks
    kernel: list[Mapping | KernelSymbol]  # how it has changed
    comms: list[str]  # that are new: they follow those that were reported before
    dsos: list[str]  # likewise


Item = tuple[ResolvableSamples | None, RecordingMetadata]


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
