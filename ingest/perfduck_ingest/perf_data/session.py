"""A recording as it is read: bytes in, samples in the order of time out.

Every processor has its own buffer, so records are not in the order of time. perf writes
FINISHED_ROUND after it emptied all buffers once: what was recorded up to the newest time of one
round has been written when the next round ends. Samples wait until then, and are put among the task
events (comm, fork, maps) in the order of time.

What is handed over needs to be resolved (resolver.py), and can be by another process. Nothing in
here, and in what it needs, knows polars: a process that only reads starts in half the time.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from perfduck_ingest import limitations
from perfduck_ingest.network_namespaces import NamespaceChanges, NetworkNamespaces
from perfduck_ingest.perf_data import features, records
from perfduck_ingest.perf_data.attributes import attribute
from perfduck_ingest.perf_data.callers import DeferredCallers, Placed
from perfduck_ingest.perf_data.chain_chunks import ChunkIds, chunks_of
from perfduck_ingest.perf_data.features import PerfRecording
from perfduck_ingest.perf_data.mappings import rows_of_version
from perfduck_ingest.perf_data.name_numbers import NameTally
from perfduck_ingest.perf_data.process_state import ProcessState, place_of
from perfduck_ingest.perf_data.records import text
from perfduck_ingest.perf_data.resolvable_samples import (
    Item,
    RecordingMetadata,
    ResolvableSamples,
    SampleFields,
    maps_needed,
)
from perfduck_ingest.perf_data.sample_columns import Samples
from perfduck_ingest.perf_data.samples import SampleReader
from perfduck_ingest.perf_data.stream import Block
from perfduck_ingest.perf_data.symbol_places import SymbolPlaces
from perfduck_ingest.perf_data.task_events import (
    Fork,
    KernelSymbol,
    Mapping,
    Namespaces,
    TaskEvent,
    TaskEventReader,
    UserCallers,
    name_bytes,
)
from perfduck_model.arrays import Int64
from perfduck_model.limits import limits

if TYPE_CHECKING:
    from perfduck_ingest.perf_data.unwinding import StackUnwinder

_FOREVER = (1 << 63) - 1
_EVENT_UPDATE_NAME = 2
_MANY_MAPS = 16  # for each chunk of a chain: looking its addresses up is less than laying them out
_NONE = np.zeros(0, np.int64)


class _MapCounts(dict[int, int]):
    """How many mappings the process at each place has as task events go on, at most."""

    def __init__(self, state: ProcessState) -> None:
        """From this state on, which does not change while they are counted."""
        self._state = state

    def __missing__(self, place: int) -> int:
        return self._state.mappings_of(place)

    def after(self, task_event: TaskEvent) -> int:
        """Those of the process that is changed by it; 0 where none is."""
        place = place_of(task_event.pid)
        if isinstance(task_event, Mapping):
            self[place] += 1
            return self[place]
        if isinstance(task_event, Fork) and task_event.pid != task_event.parent_pid:
            self[place] = self[place_of(task_event.parent_pid)] * task_event.inherits_maps
        return 0


class PerfSession:
    """The state of reading one recording."""

    def __init__(self, recording: PerfRecording, places: SymbolPlaces) -> None:
        """`recording` says what is known before the first record, `places` where binaries may
        lie whose tables unwind stacks."""
        self._recording = recording
        self._places = places
        self._said = RecordingMetadata(recording)
        self._process_state = ProcessState()
        self._namespaces = NetworkNamespaces()
        self._chunk_ids = ChunkIds()
        self._kernel: list[Mapping | KernelSymbol] = []
        self._task_events: list[tuple[int, int, TaskEvent]] = []
        self._task_name_bytes = 0
        self._cgroup_names = NameTally("control groups")
        self._kernel_names = NameTally("kernel symbols")
        self._waiting: list[Samples] = []
        self._deferred = DeferredCallers(self._said.limitations)
        self._records = 0
        self._newest = self._round = self._limit = -1
        self._is_stale, self._is_unnamed = True, False
        self._unwinder: StackUnwinder | None = None
        self._renew_readers()

    def learn_tracing_data(self, raw: bytes) -> None:
        """What a pipe says of its tracepoints."""
        self._recording.name_tracepoints(raw)

    def ready(self, blocks: Iterator[Block]) -> Iterator[Item]:
        """All samples, as they become ready, each time with what has been read by then; without
        samples at the end."""
        for block in blocks:
            self._add(block)
            if len(self._waiting) > limits.most_blocks_waiting:
                self._limit = max(self._limit, int(self._waiting[0].time.max()))
            yield from self._ready()
        yield from self._rest()

    def ready_of_several(self, streams: list[Iterator[Block]]) -> Iterator[Item]:
        """The same of several streams, each nearly in the order of time: the one that is furthest
        behind is read on, and samples are ready that are older than the block before the last of
        every stream."""
        newest, before = [-1] * len(streams), [-1] * len(streams)
        left = set(range(len(streams)))
        while left:
            at = min(left, key=lambda one: (newest[one], one))
            if (block := next(streams[at], None)) is None:
                left.remove(at)
            else:
                before[at] = newest[at]
                newest[at] = max(newest[at], self._add(block))
            self._limit = max(self._limit, min((before[one] for one in left), default=-1))
            yield from self._ready()
        yield from self._rest()

    def _rest(self) -> Iterator[Item]:
        """What waits when all has been read, and that all has been."""
        self._limit = _FOREVER
        yield from self._ready()
        if rest := self._deferred.rest(self._process_state.tables):
            yield self._made_ready(rest), self._said
        yield None, self._said

    def _add(self, block: Block) -> int:
        """Take the records of a block; the newest time of its samples, -1 where it has none."""
        for index in block.of(*_TAKEN).tolist():
            self._take(block, index)
        self._renew_readers()
        skipped = block.types[block.of(*_SKIPPED)]
        self._said.skipped += np.bincount(skipped, minlength=records.TYPES)
        for task_event in self._task_events_of.read(block, self._records):
            self._take_task_event(*task_event)
        samples = self._samples_of.read(block, self._records)
        self._said.limitations += self._samples_of.limitations
        self._samples_of.limitations.clear()
        self._finish_rounds(block, samples)
        self._records += len(block.starts)
        self._waiting += samples
        if self._has_many_task_events:
            self._task_events.sort(key=lambda one: one[:2])
            self._limit = max(self._limit, self._task_events[len(self._task_events) // 2][0])
        return max((int(part.time.max()) for part in samples), default=-1)

    @property
    def _has_many_task_events(self) -> bool:
        return (
            len(self._task_events) > limits.most_task_events
            or self._task_name_bytes > limits.most_task_name_bytes
        )

    def _renew_readers(self) -> None:
        """After new attributes or names, once for all of a block."""
        if self._is_unnamed:
            self._is_unnamed = False
            self._recording.name_attributes()
        if not self._is_stale:
            return
        self._is_stale = False
        self._task_events_of = TaskEventReader(self._recording.attributes, self._recording.order)
        self._samples_of = SampleReader(self._recording.attributes, self._recording.order)
        self._is_deferred = any(one.has_deferred_callers for one in self._recording.attributes)
        if self._unwinder is None and any(
            one.layout.has_user_stacks for one in self._recording.attributes
        ):
            self._unwinder = self._new_unwinder()

    def _new_unwinder(self) -> "StackUnwinder":
        from perfduck_ingest.perf_data.unwinding import StackUnwinder

        return StackUnwinder(self._recording, self._places, self._said.limitations)

    def _take(self, block: Block, index: int) -> None:
        """A record that is neither a sample nor a task event."""
        start = 8 * int(block.starts[index])
        kind, _, size = self._recording.order.unpack("IHH", block.raw, start)
        _TAKEN[kind](self, block.raw[start : start + size])

    def _take_task_event(
        self, time: int, ordinal: int, task_event: TaskEvent | UserCallers
    ) -> None:
        if isinstance(task_event, UserCallers):
            if self._is_deferred:
                self._deferred.learn(time, *task_event)
            else:  # no sample asks for them
                self._said.skipped[records.CALLCHAIN_DEFERRED] += 1
            return
        if isinstance(task_event, Mapping):
            if task_event.mode in (records.GUEST_KERNEL, records.GUEST_USER):
                return  # addresses of another machine, under the process that runs it
            if task_event.build_id and task_event.dso not in self._recording.build_ids:
                self._recording.add_build_id(task_event.dso, task_event.build_id)
            if task_event.mode == records.KERNEL:
                self._kernel_names.add(task_event.dso)
                self._kernel.append(task_event)
                return
        self._task_events.append((time, ordinal, task_event))
        self._task_name_bytes += name_bytes(task_event)

    def _finish_rounds(self, block: Block, parts: list[Samples]) -> None:
        """Move the limit up to which all has been read."""
        rounds = block.of(records.FINISHED_ROUND)
        indices = np.concatenate([_NONE, *(part.record for part in parts)])
        order = np.argsort(indices, kind="stable")
        times = np.concatenate([_NONE, *(part.time for part in parts)])[order]
        newest = np.maximum.accumulate(np.append(self._newest, times))
        for at in newest[np.searchsorted(indices[order], rounds[-2:])].tolist():
            self._limit, self._round = max(self._limit, self._round), at
        self._newest = int(newest[-1])

    def _ready(self) -> Iterator[tuple[ResolvableSamples, RecordingMetadata]]:
        """The samples up to the limit."""
        self._task_events.sort(key=lambda one: one[:2])
        steps = self._steps()
        for until, chosen in zip(steps, self._take_waiting(steps), strict=True):
            yield from self._ready_until(until, chosen)

    def _take_waiting(self, steps: list[int]) -> list[list[Samples]]:
        """The waiting samples that each step reaches; what is later waits on."""
        taken: list[list[Samples]] = [[] for _ in (*steps, _FOREVER)]
        for samples in self._waiting:
            of_step = np.searchsorted(steps, samples.time)
            counts = np.bincount(of_step)
            if counts[-1] == len(samples):
                taken[len(counts) - 1].append(samples)
                continue
            order = np.argsort(of_step, kind="stable")
            for step, places in zip(
                np.flatnonzero(counts).tolist(),
                np.split(order, np.cumsum(counts[counts > 0])[:-1]),
                strict=True,
            ):
                taken[step].append(samples.where(places))
        self._waiting = taken.pop()
        return taken

    def _steps(self) -> list[int]:
        """Times to go to one after the other: a process may change its maps between any two
        samples, and those that the samples of one step see are all held."""
        steps, rows = [], 0
        counts = _MapCounts(self._process_state)
        for time, _, task_event in self._task_events:
            if time > self._limit:
                break
            if maps := counts.after(task_event):
                rows += rows_of_version(maps)
            if rows > limits.most_maps_at_once:
                steps.append(time)
                rows = 0
        return [*steps, self._limit]

    def _ready_until(
        self, until: int, chosen: list[Samples]
    ) -> Iterator[tuple[ResolvableSamples, RecordingMetadata]]:
        if chosen:
            placed = self._placed(chosen, until)
            if self._is_deferred:
                placed = self._deferred.merged(placed, self._process_state.tables, until)
            if placed:
                yield self._made_ready(placed), self._said
        elif self._has_many_task_events:
            due = self._due(until)
            self._process_state.advance(due, _NONE, _NONE, _NONE)
            self._netns(due, _NONE, _NONE)

    def _due(self, until: int) -> list[tuple[int, int, TaskEvent]]:
        """The task events up to a time, in the order of time; they wait no more."""
        count = bisect_right(self._task_events, until, key=lambda one: one[0])
        due, self._task_events = self._task_events[:count], self._task_events[count:]
        self._task_name_bytes -= sum(name_bytes(task_event) for _, _, task_event in due)
        return due

    def _placed(self, chosen: list[Samples], until: int) -> list[Placed]:
        """Samples among the task events, in the order of time."""
        pid, tid, time = (
            np.concatenate([getattr(samples, name) for samples in chosen])
            for name in ("pid", "tid", "time")
        )
        due = self._due(until)
        comm, maps_version = self._process_state.advance(due, pid, tid, time)
        ends = np.cumsum([len(samples) for samples in chosen])[:-1]
        netns = np.split(self._netns(due, tid, time), ends)
        chosen = [replace(samples, netns=own) for samples, own in zip(chosen, netns, strict=True)]
        return list(map(Placed, chosen, np.split(comm, ends), np.split(maps_version, ends)))

    def _netns(self, due: list[tuple[int, int, TaskEvent]], tid: Int64, time: Int64) -> Int64:
        """The network namespace of samples of these threads and times."""
        rows = [(at, it.tid, it.netns) for at, _, it in due if isinstance(it, Namespaces)]
        return self._namespaces.advance(NamespaceChanges.of(rows), tid, time)

    def _made_ready(self, placed: list[Placed]) -> ResolvableSamples:
        if self._unwinder is not None:
            maps, names = self._process_state.tables, self._process_state.dso_names
            placed = [self._unwinder.with_callers(part, maps, names) for part in placed]
        kernel, self._kernel = self._kernel, []
        if kernel:  # addresses may mean something else from here on
            self._chunk_ids.forget()
        chunks = [chunks_of(part.samples, part.maps_version) for part in placed]
        self._said.limitations[limitations.BROKEN] += sum(part.broken for part in chunks)
        chains = self._chunk_ids.of(chunks)
        comms, dsos = self._process_state.take_new()
        return ResolvableSamples(
            columns=SampleFields.of([part.samples for part in placed]),
            comm=np.concatenate([part.comm for part in placed], dtype=np.int32, casting="unsafe"),
            chains=chains,
            maps=maps_needed(chains, self._process_state.tables),
            kernel=kernel,
            comms=comms,
            dsos=dsos,
        )

    def _learn_attribute(self, record: memoryview) -> None:
        order = self._recording.order
        size = order.unpack("I", record, 12)[0] or 64
        count = max(len(record) - 8 - size, 0) // 8
        ids = order.unpack(f"{count}Q", record, 8 + size)
        added = attribute(record[8 : 8 + size], order).with_ids(ids)
        self._recording.add_attribute(added)
        self._is_stale = True

    def _learn_feature(self, record: memoryview) -> None:
        (feature,) = self._recording.order.unpack("Q", record, 8)
        features.learn(self._recording, feature, bytes(record[16:]))
        self._is_unnamed = True

    def _learn_build_id(self, record: memoryview) -> None:
        features.learn_build_id(self._recording, bytes(record))

    def _learn_name(self, record: memoryview) -> None:
        kind, number = self._recording.order.unpack("QQ", record, 8)
        if kind == _EVENT_UPDATE_NAME:
            self._recording.add_event_name(number, text(record[24:]))
            self._is_unnamed = True

    def _learn_cgroup(self, record: memoryview) -> None:
        (number,) = self._recording.order.unpack("q", record, 8)
        self._said.cgroups[number] = text(record[16:])
        self._cgroup_names.add(self._said.cgroups[number])

    def _learn_symbol(self, record: memoryview) -> None:
        self._renew_readers()
        symbol = self._task_events_of.kernel_symbol(record)
        if symbol is not None:
            self._kernel_names.add(symbol.name)
            self._kernel.append(symbol)

    def _count_trace(self, record: memoryview) -> None:
        self._said.trace_bytes += self._recording.order.unpack("Q", record, 8)[0]
        self._said.skipped[records.AUXTRACE] += 1

    def _count_lost(self, record: memoryview) -> None:
        self._said.lost_by_buffer += self._recording.order.unpack("QQ", record, 8)[1]

    def _count_lost_samples(self, record: memoryview) -> None:
        self._said.lost_by_event += self._recording.order.unpack("Q", record, 8)[0]


# To read one more kind of record, write a method and add a line.
_TAKEN = {
    records.HEADER_ATTR: PerfSession._learn_attribute,
    records.HEADER_FEATURE: PerfSession._learn_feature,
    records.HEADER_BUILD_ID: PerfSession._learn_build_id,
    records.EVENT_UPDATE: PerfSession._learn_name,
    records.CGROUP: PerfSession._learn_cgroup,
    records.KSYMBOL: PerfSession._learn_symbol,
    records.LOST: PerfSession._count_lost,
    records.AUXTRACE: PerfSession._count_trace,
    records.LOST_SAMPLES: PerfSession._count_lost_samples,
}
_READ = {
    records.SAMPLE, records.COMM, records.FORK, records.EXIT, records.MMAP, records.MMAP2,
    records.NAMESPACES,    records.CALLCHAIN_DEFERRED,
}  # fmt: skip
_SKIPPED = set(range(records.TYPES)) - _READ - records.SILENT - set(_TAKEN)
