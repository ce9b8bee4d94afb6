"""Which name a thread and which maps a process had at the time of a sample.

Task events and samples are put into one order by time; a state is kept per thread (its name) and
per process (its maps), and for a batch of samples both are looked up at once, by (thread, place in
the order). The maps of a process get a new version with each event; a version is laid down only if
a sample falls into it.

Processes that ended are forgotten when there are too many, not before: their last samples may come
behind their EXIT, and other threads of theirs may live on.
"""

import struct

import numpy as np

from perfduck_ingest.perf_data.mappings import Mappings, rows_of_version
from perfduck_ingest.perf_data.name_numbers import NameNumbers
from perfduck_ingest.perf_data.task_events import Comm, Exit, Fork, Mapping, TaskEvent
from perfduck_model.arrays import Int64
from perfduck_model.limits import limits
from perfduck_symbols.intervals import last_change

_NAMING = (Comm, Fork)
# /proc/sys/kernel/pid_max is at most this. Numbers beyond it, and -1, share a place.
_LAST_ID = 1 << 22


class ProcessState:
    """The state of all threads and processes, moving forward in time."""

    def __init__(self) -> None:
        self.comms: list[str] = []  # those of samples
        self._comm_codes: dict[str, int] = {}
        self._dsos = NameNumbers("mapped files")
        self._reported = (0, 0)  # how many of both
        self._thread_names = NameNumbers("threads", "", "swapper")
        self._comm_of = np.zeros(_LAST_ID + 1, np.int32)  # thread -> number, 0: none yet
        self._comm_of[0] = 1
        self._version_of = np.zeros(_LAST_ID + 1, np.int32)  # process -> version, 0: no maps
        self._maps = ProcessMaps()
        self._last_version = 0
        # The maps of each version, for the samples of the last call.
        self.tables: dict[int, Mappings] = {}

    def advance(
        self,
        task_events: list[tuple[int, int, TaskEvent]],
        pid: Int64,
        tid: Int64,
        time: Int64,
    ) -> tuple[Int64, Int64]:
        """Comm and version of the maps of each sample, given (time, ordinal, task event) in order;
        samples of later calls are later than all of these events."""
        self._forget_names()
        rank = np.searchsorted(np.array([one[0] for one in task_events], np.int64), time, "right")
        pid, tid = _place(pid), _place(tid)
        comm, maps_version = (
            self._comm_of[tid].astype(np.int64),
            self._version_of[pid].astype(np.int64),
        )
        named = [place_of(it.tid) if isinstance(it, _NAMING) else -1 for _, _, it in task_events]
        mapped = [place_of(it.pid) if _remaps(it) else -1 for _, _, it in task_events]
        last_named = last_change(np.array(named, np.int64), tid, rank)
        last_mapped = last_change(np.array(mapped, np.int64), pid, rank)
        self._keep_tables(maps_version[last_mapped < 0], pid[last_mapped < 0])
        hit = np.flatnonzero(np.bincount(last_mapped + 1, minlength=1)[1:])
        comm_after, version_after = self._apply(task_events, set(hit.tolist()))
        comm = np.where(last_named < 0, comm, comm_after[last_named])
        maps_version = np.where(last_mapped < 0, maps_version, version_after[last_mapped])
        return self._comms_of(comm, tid), maps_version

    @property
    def dso_names(self) -> list[str]:
        """The mapped files, by the numbers that mappings have for them."""
        return self._dsos.names

    def mappings_of(self, place: int) -> int:
        """How many mappings the process at a place has now."""
        return len(self._maps.of(place))

    def take_new(self) -> tuple[list[str], list[str]]:
        """The comms and dsos that are new since the last call."""
        comms, dsos = self._reported
        self._reported = (len(self.comms), len(self._dsos.names))
        return self.comms[comms:], self._dsos.names[dsos:]

    def _forget_names(self) -> None:
        """Those that no thread has any more."""
        if self._thread_names.tally.is_half_full:
            self._comm_of[:] = self._thread_names.keep(self._comm_of.astype(np.int64))[
                self._comm_of
            ]

    def _keep_tables(self, maps_versions: Int64, pids: Int64) -> None:
        """Tables for the versions that began before this call; older ones are done with."""
        seen, first = np.unique(maps_versions, return_index=True)
        tables = {}
        for maps_version, pid in zip(seen.tolist(), pids[first].tolist(), strict=True):
            tables[maps_version] = self._maps.of(pid)
            tables[maps_version].shared = True
        self.tables = tables

    def _apply(
        self, task_events: list[tuple[int, int, TaskEvent]], hit: set[int]
    ) -> tuple[Int64, Int64]:
        """The comm and the version of the maps that each task event leads to; lays down the
        versions that are hit."""
        comms = np.zeros(len(task_events) + 1, np.int64)
        maps_versions = np.zeros(len(task_events) + 1, np.int64)
        for n, (_, _, task_event) in enumerate(task_events):
            if isinstance(task_event, Mapping):
                self._map(task_event)
            elif isinstance(task_event, Comm):
                comms[n] = self._thread_names.number(task_event.comm)
                self._comm_of[place_of(task_event.tid)] = comms[n]
            elif isinstance(task_event, Fork):
                comms[n] = self._fork(task_event)
            elif isinstance(task_event, Exit):
                self._maps.end(place_of(task_event.pid))
            maps_versions[n] = self._version_of[place_of(task_event.pid)]
            if n in hit:
                maps = self.tables[int(maps_versions[n])] = self._maps.of(place_of(task_event.pid))
                maps.shared = True
        return comms, maps_versions

    def _map(self, task_event: Mapping) -> None:
        pid = place_of(task_event.pid)
        if task_event.start < task_event.end:
            self._maps.to_change(pid).insert(
                task_event.start,
                task_event.end,
                task_event.pgoff_bias,
                self._dsos.number(task_event.dso),
            )
        self._new_version(pid)

    def _fork(self, task_event: Fork) -> int:
        """The child has its parent's name, and its maps unless it shares them as a thread."""
        code = int(self._comm_of[place_of(task_event.parent_tid)])
        self._comm_of[place_of(task_event.tid)] = code
        if task_event.pid != task_event.parent_pid:
            pid = place_of(task_event.pid)
            if task_event.inherits_maps:
                self._maps.inherit(pid, place_of(task_event.parent_pid))
            else:
                self._maps.clear(pid)
            self._new_version(pid)
        return code

    def _new_version(self, pid: int) -> None:
        self._last_version += 1
        self._version_of[pid] = self._last_version

    def _comms_of(self, names: Int64, tid: Int64) -> Int64:
        """The comm of each sample, given the number of its thread's name. Threads that nothing
        named are called by their number, as perf does: `:4711`."""
        named = np.flatnonzero(np.bincount(names)[1:]) + 1
        codes = np.zeros(len(self._thread_names.names), np.int64)
        codes[named] = [self._comm_code(self._thread_names.names[one]) for one in named.tolist()]
        comm = codes[names]
        nameless = names == 0
        if nameless.any():
            threads, inverse = np.unique(tid[nameless], return_inverse=True)
            texts = [f":{-1 if one == _LAST_ID else one}" for one in threads.tolist()]
            comm[nameless] = np.array([self._comm_code(text) for text in texts])[inverse]
        return comm

    def _comm_code(self, comm: str) -> int:
        if comm not in self._comm_codes:
            self._comm_codes[comm] = len(self.comms)
            self.comms.append(comm)
        return self._comm_codes[comm]


def _remaps(task_event: TaskEvent) -> bool:
    return isinstance(task_event, Mapping) or (
        isinstance(task_event, Fork) and task_event.pid != task_event.parent_pid
    )


def place_of(number: int) -> int:
    """Where the state of the process or thread with this number is."""
    return number if 0 <= number < _LAST_ID else _LAST_ID


def _place(numbers: Int64) -> Int64:
    return np.where((numbers >= 0) & (numbers < _LAST_ID), numbers, _LAST_ID)


class ProcessMaps:
    """The maps of processes, by place."""

    def __init__(self) -> None:
        """No process has a map."""
        self._maps: dict[int, Mappings] = {}
        self._ended: set[int] = set()
        self._rows = 0  # at most so many: what shared ones replaced is not counted off

    def of(self, pid: int) -> Mappings:
        """To be read."""
        return self._maps.get(pid) or Mappings()

    def to_change(self, pid: int) -> Mappings:
        """To get one mapping more. Raises struct.error where there are too many."""
        maps = self._maps.get(pid)
        if maps is None or maps.shared:
            maps = maps.copy() if maps else Mappings()
            self._rows += rows_of_version(len(maps))
            self._put(pid, maps)
        self._rows += 1
        if len(maps) > limits.most_maps_of_process:
            message = f"more than {limits.most_maps_of_process:,} mappings of a process"
            raise struct.error(message)
        if self._rows > limits.most_maps:
            self._forget_ended()
        return maps

    def inherit(self, pid: int, parent: int) -> None:
        """A new process has the maps of its parent."""
        maps = self._maps.get(parent)
        if maps is None:
            self.clear(pid)
        else:
            maps.shared = True
            self._put(pid, maps)

    def clear(self, pid: int) -> None:
        """A new process has none yet."""
        self._maps.pop(pid, None)

    def end(self, pid: int) -> None:
        """The process is no more."""
        if pid in self._maps:
            self._ended.add(pid)

    def _put(self, pid: int, maps: Mappings) -> None:
        self._maps[pid] = maps
        self._ended.discard(pid)
        if len(self._maps) > limits.most_processes:
            self._forget_ended()

    def _forget_ended(self) -> None:
        for pid in self._ended:
            self._maps.pop(pid, None)
        self._ended.clear()
        distinct = {id(maps): maps for maps in self._maps.values()}.values()
        blocks = {id(block): len(block.starts) for maps in distinct for block in maps.blocks}
        more = sum(len(maps.blocks) - 1 for maps in distinct)  # 16 bytes each, a map has 32
        self._rows = sum(blocks.values()) + more // 2
        # Half: or all would be counted again at each mapping.
        if len(self._maps) > limits.most_processes // 2 or self._rows > limits.most_maps // 2:
            message = (
                f"more than {limits.most_processes // 2:,} processes, or"
                f" {limits.most_maps // 2:,} mappings, at a time"
            )
            raise struct.error(message)
