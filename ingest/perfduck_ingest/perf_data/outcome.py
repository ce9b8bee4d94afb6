"""What becomes of resolved samples: the columns of a batch, and the facts of the recording."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from perfduck_ingest.events import unit_of
from perfduck_ingest.perf_data import features, records
from perfduck_ingest.perf_data.byte_order import Integers
from perfduck_ingest.perf_data.dsos import Symbols, unpack
from perfduck_ingest.perf_data.features import Recording
from perfduck_ingest.perf_data.samples import Samples
from perfduck_ingest.perf_data.stacks import Stacks
from perfduck_store.batch import LEAF_OFFSET, SAMPLE, SKIPPED, Batch, Event, Facts


@dataclass(frozen=True, slots=True)
class Resolved:
    """Samples with what the columns of other records say of them."""

    samples: Samples
    comm: Integers  # place in the list of comms
    stack: Integers  # stack ids
    leaf: Integers  # symbol number and offset, packed


class Outcome:
    """Makes batches, and sums up what they do not hold."""

    def __init__(self, recording: Recording, symbols: Symbols, stacks: Stacks) -> None:
        """`symbols` and `stacks` are told to the store as they come up."""
        self.cgroups: dict[int, str] = {}
        # The same losses are counted twice: by the buffer, and, since perf 6.1, by the event.
        self.lost_by_buffer = self.lost_by_event = 0
        self._recording = recording
        self._symbols = symbols
        self._stacks = stacks
        self._skipped = np.zeros(records.TYPES, np.int64)
        self._times: list[int] = []
        self._events: set[int] = set()

    def skip(self, types: Integers) -> None:
        """Count records that are passed over, or not understood."""
        self._skipped += np.bincount(types, minlength=records.TYPES)

    def batch(self, parts: list[Resolved], comms: list[str]) -> Batch:
        """A batch of resolved samples, with the symbols and stacks that are new."""
        samples = pl.concat([self._samples(part, comms) for part in parts])
        return Batch(
            samples=samples.select(list(SAMPLE)),
            symbols=self._symbols.told(),
            stacks=self._stacks.told(),
            leaf_offsets=self._leaf_offsets(parts, samples),
        )

    def _samples(self, part: Resolved, comms: list[str]) -> pl.DataFrame:
        samples = part.samples
        timed = samples.time[samples.timed]
        self._times += [int(timed.min()), int(timed.max())] if len(timed) else []
        self._events.update(np.flatnonzero(np.bincount(samples.event)).tolist())
        names = [one.name for one in self._recording.attributes] or ["unknown"]
        return pl.DataFrame(
            {
                "stack_id": part.stack,
                "event": pl.Series(names, dtype=pl.String).gather(samples.event),
                "comm": pl.Series(comms, dtype=pl.String).gather(part.comm),
                "pid": samples.pid.astype(np.int32),
                "tid": samples.tid.astype(np.int32),
                "cpu": _known(samples.cpu, samples.cpu >= 0).cast(pl.Int32),
                "cgroup": self._cgroup_names(samples.cgroup),
                "time_ns": _known(samples.time, samples.timed),
                "count": np.ones(len(samples), np.int64),
                "period": _known(samples.period, samples.period >= 0),
            }
        )

    def _cgroup_names(self, numbers: Integers) -> pl.Series:
        distinct, inverse = np.unique(numbers, return_inverse=True)
        names = [self.cgroups.get(number) for number in distinct.tolist()]
        return pl.Series(names, dtype=pl.String).gather(inverse)

    def _leaf_offsets(self, parts: list[Resolved], samples: pl.DataFrame) -> pl.DataFrame:
        numbers, offsets = unpack(np.concatenate([part.leaf for part in parts]))
        return (
            samples.select(
                "event",
                pl.Series("symbol_id", self._symbols.ids(numbers)),
                pl.Series("offset", offsets),
                "count",
                pl.coalesce("period", "count").cast(pl.Float64).alias("weight"),
            )
            .filter(pl.col("offset") >= 0)
            .group_by("event", "symbol_id", "offset")
            .agg(pl.sum("count"), pl.sum("weight"))
            .select(list(LEAF_OFFSET))
        )

    def last(self) -> Batch:
        """The facts, and what was not understood."""
        rows = [
            (0, f"{self._skipped[kind]} records of type {kind}", _reason(kind))
            for kind in np.flatnonzero(self._skipped).tolist()
        ]
        return Batch(skipped=pl.DataFrame(rows, schema=SKIPPED, orient="row"), facts=self._facts())

    def _facts(self) -> Facts:
        recording, said = self._recording, self._recording.strings
        first = min(self._times, default=None)
        version = said.get(features.VERSION)
        return Facts(
            host=said.get(features.HOSTNAME),
            kernel_release=said.get(features.OSRELEASE),
            arch=said.get(features.ARCH),
            cpus=recording.cpus,
            command=said.get(features.CMDLINE),
            tool=f"perf {version}" if version else None,
            started_at=recording.started_at(first),
            duration_s=None if first is None else (max(self._times) - first) / 1e9,
            lost=max(self.lost_by_buffer, self.lost_by_event),
            events=self._described_events(),
        )

    def _described_events(self) -> dict[str, Event]:
        attributes = self._recording.attributes
        events = {}
        for one in (attributes[place] for place in sorted(self._events) if attributes):
            unit = unit_of(one.name) if one.has_period else "sample"
            events[one.name] = Event(unit, None if one.frequency is None else float(one.frequency))
        return events


def _known(values: Integers, known: npt.NDArray[np.bool_]) -> pl.Series:
    """Values where they are known, null elsewhere."""
    series = pl.Series(values)
    return series if known.all() else series.set(pl.Series(~known), None)


def _reason(kind: int) -> str:
    return ": ".join(records.PASSED_OVER.get(kind, ("unknown type of record",)))
