"""What session.py hands over for its addresses to be resolved, by this process or another one."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from perfduck_ingest.perf_data import records
from perfduck_ingest.perf_data.chain_chunks import Chains
from perfduck_ingest.perf_data.features import PerfRecording
from perfduck_ingest.perf_data.mappings import Tables
from perfduck_ingest.perf_data.sample_columns import Samples
from perfduck_ingest.perf_data.task_events import KernelSymbol, Mapping
from perfduck_model.arrays import Bool, Int32, Int64


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
