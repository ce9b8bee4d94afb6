"""What becomes of resolved samples: the columns of a batch, and the facts of the recording.

How much of a recording has no name, where that is, and which option would help is said with them:

    48 % of the weight has no name: give --kallsyms and --symbols
    (31 % [kernel.kallsyms], 16 % /opt/app/bin/server: not found)
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from perfduck_ingest import limitations, network_namespaces
from perfduck_ingest.importer import unit_of
from perfduck_ingest.perf_data import features, records
from perfduck_ingest.perf_data.dsos import NO_OFFSET, DsoSymbols, unpack
from perfduck_ingest.perf_data.resolvable_samples import RecordingMetadata, ResolvableSamples
from perfduck_kernels import kernels
from perfduck_model.arrays import Bool, Float64, Int32, Int64
from perfduck_model.batch import LEAF_OFFSET, SAMPLE, SKIPPED, Batch, Event, Facts, Limitation
from perfduck_symbols import names

_MOST = (1 << 63) - 1
_LEAST = 0.01  # of the weight, to be said
_MOST_DSOS = 3
_OPTIONS = {"kernel": "--kallsyms", "user": "--symbols"}
_NO_EVENT = "SAMPLE: the recording describes no event with its id"


@dataclass(frozen=True, slots=True)
class Resolved:
    """Samples with what is said of them in other places, and what is new by them."""

    samples: ResolvableSamples
    stack: Int64  # stack ids
    leaf: Int64  # symbol number and offset, packed
    new_symbols: pl.DataFrame
    new_stacks: pl.DataFrame


@dataclass(frozen=True, slots=True)
class FilesOfNames:
    """What became of the files that have the names: why those of some dsos are not used, what is
    not known of the kernel's, whether --symbols had any of them, and how many samples have inlined
    functions."""

    missing: Mapping[str, str]
    doubt: str | None
    has_given: bool
    inlined: int


class BatchBuilder:
    """Makes batches, and sums up what they do not hold."""

    def __init__(self, said: RecordingMetadata, symbols: DsoSymbols) -> None:
        """`symbols` are those that leaves are numbered by."""
        self.said = said
        self._symbols = symbols
        self._comms: list[str] = []
        self._times: list[int] = []
        self._events: set[int] = set()
        self._unnamed = Unnamed()
        self._dsos = set[str]()  # that samples are in

    def batch(self, resolved: Resolved) -> Batch:
        """A batch of resolved samples, with the symbols and stacks that are new."""
        columns = resolved.samples.columns
        weights = np.where(columns.period < 0, 1, columns.period).astype(np.float64)
        self._unnamed.learn(resolved.new_symbols)
        self._dsos.update(resolved.new_symbols["dso"].unique())
        self._unnamed.add(columns.event, resolved.leaf, weights)
        return Batch(
            samples=self._samples(resolved),
            symbols=resolved.new_symbols,
            stacks=resolved.new_stacks,
            leaf_offsets=self._leaf_offsets(resolved),
        )

    def _samples(self, resolved: Resolved) -> pl.DataFrame:
        columns = resolved.samples.columns
        event, cpu, period = columns.event, columns.cpu, columns.period
        time, timed = columns.time, columns.timed
        self._comms += resolved.samples.comms
        self._times += [int(time[timed].min()), int(time[timed].max())] if timed.any() else []
        self._events.update(np.flatnonzero(np.bincount(event)).tolist())
        return pl.DataFrame(
            {
                "stack_id": resolved.stack,
                "event": self._event_names(event),
                "comm": pl.Series(self._comms, dtype=pl.String).gather(resolved.samples.comm),
                "pid": columns.pid,
                "tid": columns.tid,
                "cpu": _known(cpu, cpu >= 0),
                "cgroup": self._cgroup_names(columns.cgroup),
                "netns": _known(columns.netns, columns.netns != network_namespaces.UNKNOWN),
                "time_ns": _known(time, timed),
                "count": np.ones(len(event), np.int64),
                "period": _known(period, period >= 0),
            },
            schema_overrides=SAMPLE,
        ).select(list(SAMPLE))

    def _cgroup_names(self, numbers: Int64) -> pl.Series:
        first, which = kernels.distinct(numbers.view(np.uint64))
        names = [self.said.cgroups.get(number) for number in numbers[first].tolist()]
        return pl.Series(names, dtype=pl.String).gather(which)

    def _leaf_offsets(self, resolved: Resolved) -> pl.DataFrame:
        columns = resolved.samples.columns
        event, period = columns.event, columns.period
        is_known = np.flatnonzero(unpack(resolved.leaf)[1] != NO_OFFSET)
        leaf, event, period = resolved.leaf[is_known], event[is_known], period[is_known]
        first, which = kernels.distinct(kernels.group_keys(leaf.view(np.uint64), event))
        numbers, offsets = unpack(leaf[first])
        return pl.DataFrame(
            {
                "event": self._event_names(event[first]),
                "symbol_id": self._symbols.ids(numbers),
                "offset": offsets,
                "count": np.bincount(which),
                "weight": np.bincount(which, np.where(period < 0, 1, period)),
            },
            schema=LEAF_OFFSET,
        )

    def _event_names(self, events: Int64) -> pl.Series:
        names = [one.name for one in self.said.recording.attributes] or ["unknown"]
        return pl.Series(names, dtype=pl.String).gather(events)

    def finish(self, files: FilesOfNames) -> Batch:
        """The facts, and what was not understood."""
        rows = [
            (0, f"{self.said.skipped[kind]} records of type {kind}", _why_passed_over(kind))
            for kind in np.flatnonzero(self.said.skipped).tolist()
        ]
        if count := self.said.limitations[limitations.NO_EVENT]:
            rows.append((0, f"{count} records of type {records.SAMPLE}", _NO_EVENT))
        return Batch(
            skipped=pl.DataFrame(rows, schema=SKIPPED, orient="row"),
            facts=self._facts(files),
        )

    def _facts(self, files: FilesOfNames) -> Facts:
        recording, said = self.said.recording, self.said.recording.strings
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
            lost=min(max(self.said.lost_by_buffer, self.said.lost_by_event), _MOST),
            events=self._described_events(),
            limitations=self._limitations(files),
            has_given_files=files.has_given,
            inlined_samples=files.inlined,
            build_ids=self._build_ids(),
        )

    def _build_ids(self) -> dict[str, str]:
        """That are recorded of binaries that samples are in; of modules as symbols name them."""
        recorded = self.said.recording.build_ids
        modules = {f"[{name}]": path for path in recorded if (name := names.module_of_file(path))}
        by_dso = recorded | {name: recorded[path] for name, path in modules.items()}
        return {dso: by_dso[dso] for dso in sorted(self._dsos & by_dso.keys())}

    def _limitations(self, files: FilesOfNames) -> dict[str, Limitation]:
        counts = limitations.texts(self.said.limitations)
        said = {code: Limitation(*counted) for code, counted in counts.items()}
        unnamed = self._unnamed.said(files.missing)
        by_code = {
            "no-names": unnamed,
            "unproven-kallsyms": files.doubt,
            "processor-traces": _traces(self.said.trace_bytes),
            "counts": _COUNTS if self.said.recording.has_counts else None,
            "unfinished": _UNFINISHED if self.said.recording.is_unfinished else None,
        }
        return said | {code: Limitation(text) for code, text in by_code.items() if text}

    def _described_events(self) -> dict[str, Event]:
        attributes = self.said.recording.attributes
        events = {}
        for one in (attributes[place] for place in sorted(self._events) if attributes):
            unit = unit_of(one.name) if one.has_period else "sample"
            events[one.name] = Event(unit, None if one.frequency is None else float(one.frequency))
        return events


def _known(values: Int64 | Int32, known: Bool) -> pl.Series:
    """Values where they are known, null for others."""
    series = pl.Series(values)
    return series if known.all() else series.set(pl.Series(~known), None)


_COUNTS = "counts of `perf stat record`, which are no samples: record with `perf record -g`"
_UNFINISHED = (
    "perf record did not end as it should (killed, or a full disk): what it had not written yet is"
    " missing, as are build ids, the host and the kernel's release"
)


def _traces(size: int) -> str | None:
    decode = "use `perf script --itrace=i100us | perfduck ingest -`"
    return f"{size:,} bytes of processor traces (AUX) are not decoded: {decode}" if size else None


def _why_passed_over(kind: int) -> str:
    return ": ".join(records.PASSED_OVER.get(kind, ("unknown type of record",)))


class Unnamed:
    """Adds up the weight of samples whose function has no name."""

    def __init__(self) -> None:
        self._symbols = 0
        self._dsos: dict[int, str] = {}  # of symbols without a name, by their number
        self._samples = Counter[int]()  # by event
        self._weights: defaultdict[int, float] = defaultdict(float)
        self._unnamed: defaultdict[int, Counter[str]] = defaultdict(Counter)

    def learn(self, symbols: pl.DataFrame) -> None:
        """The next symbols, in the order of their numbers."""
        numbered = symbols.with_row_index("number", self._symbols)
        rows = numbered.filter(name=names.UNKNOWN).select("number", "dso")
        self._dsos.update(rows.iter_rows())
        self._symbols += len(symbols)

    def add(self, events: Int64, leaves: Int64, weights: Float64) -> None:
        """Samples: event, symbol and offset packed, weight."""
        numbers, offsets = unpack(leaves)
        for event in np.flatnonzero(np.bincount(events)).tolist():
            own = events == event
            self._samples[event] += int(own.sum())
            self._weights[event] += float(weights[own].sum())
            own &= offsets == NO_OFFSET
            distinct, which = np.unique(numbers[own], return_inverse=True)
            sums = np.bincount(which, weights[own], len(distinct))
            for number, weight in zip(distinct.tolist(), sums.tolist(), strict=True):
                self._unnamed[event][self._dsos[number]] += weight

    def said(self, missing: Mapping[str, str]) -> str | None:
        """In words, of the event with most samples; None where it is little. `missing` says why
        the file of a dso was not used."""
        if not self._samples:
            return None
        event = max(self._samples, key=lambda one: self._samples[one])
        total, dsos = self._weights[event], self._unnamed[event]
        if dsos.total() < _LEAST * total or not dsos.total():
            return None
        options = sorted({_option(dso) for dso in dsos if dsos[dso] >= _LEAST * total} - {""})
        shown = ", ".join(
            f"{weight / total:.0%}".replace("%", " %") + f" {dso}" + _why_missing(missing.get(dso))
            for place, (dso, weight) in enumerate(dsos.most_common(_MOST_DSOS))
            if place == 0 or weight >= _LEAST * total
        )
        advice = f": give {' and '.join(options)}" if options else ""
        share = f"{dsos.total() / total:.0%}".replace("%", " %")
        return f"{share} of the weight has no name{advice} ({shown})"


def _option(dso: str) -> str:
    return _OPTIONS.get(names.binary(dso)[0], "")


def _why_missing(reason: str | None) -> str:
    return f": {reason}" if reason else ""
