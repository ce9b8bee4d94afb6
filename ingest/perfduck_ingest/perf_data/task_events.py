"""Records between the samples that change what an address or a thread means.

    COMM   pid 10400 tid 10400 "ip"
    FORK   pid 10400 ppid 10378 tid 10400 ptid 10378
    EXIT   pid 10400 ppid 10378 tid 10400 ptid 10378
    NAMESPACES pid 10400 tid 10400 nr 7 net 4/0xf0000051 uts 4/0xeffffffe ...
    MMAP2  pid 10400 0x7f17a4237000 + 0x26000 @ 0x1000 r-xp /usr/lib/.../ld-linux-x86-64.so.2

Each ends in id fields as samples have them (TID TIME ID STREAM_ID CPU IDENTIFIER), if the event
says so; the time tells which samples come after it, for records are not in the order of time.
"""

import struct
from typing import NamedTuple

import numpy as np

from perfduck_ingest import network_namespaces
from perfduck_ingest.perf_data import records
from perfduck_ingest.perf_data.attributes import Attribute
from perfduck_ingest.perf_data.records import ByteOrder, signed, text
from perfduck_ingest.perf_data.stream import Block
from perfduck_model.arrays import Bool, Int64, UInt64

_PROT_EXEC = 4
_MAP_HUGETLB = 0x40000
_MAPS = (records.MMAP, records.MMAP2)
_BEHIND_TIME = (
    records.SAMPLE_ID | records.SAMPLE_STREAM_ID | records.SAMPLE_CPU | records.SAMPLE_IDENTIFIER
)


# Tuples, not dataclasses: a recording of many short processes has more of them than samples, and a
# frozen dataclass takes four times as long to make.
class Comm(NamedTuple):
    """A thread has a new name."""

    pid: int
    tid: int
    comm: str


class Fork(NamedTuple):
    """A new thread or process."""

    pid: int
    tid: int
    parent_pid: int
    parent_tid: int
    inherits_maps: bool


class Exit(NamedTuple):
    """The first thread of a process ended."""

    pid: int


class Namespaces(NamedTuple):
    """A thread is in this network namespace from now on."""

    pid: int
    tid: int
    netns: int  # inode


class Mapping(NamedTuple):
    """A file, or memory without one, at addresses of a process."""

    pid: int
    start: int
    end: int
    pgoff_bias: int  # what to add to an address to get the one in the dso
    dso: str
    mode: int  # records.KERNEL, USER, GUEST_KERNEL, ...
    build_id: str | None


class KernelSymbol(NamedTuple):
    """The kernel made or dropped code: a BPF program, a trampoline."""

    start: int
    size: int
    name: str


class UserCallers(NamedTuple):
    """The callers in user space of all samples with this cookie: CALLCHAIN_DEFERRED."""

    cookie: int
    entries: UInt64


TaskEvent = Comm | Fork | Exit | Namespaces | Mapping


def is_anonymous(dso: str) -> bool:
    """Memory that no file is behind: perf's is_anon_memory and is_no_dso_memory."""
    return dso.startswith(("//anon", "/dev/zero", "/anon_hugepage", "[stack", "/SYSV", "[heap]"))


def name_bytes(task_event: TaskEvent) -> int:
    """How many bytes of names it has."""
    if isinstance(task_event, Mapping):
        return len(task_event.dso)
    return len(task_event.comm) if isinstance(task_event, Comm) else 0


class TaskEventReader:
    """Reads the task events of blocks of a recording with these attributes."""

    def __init__(self, attributes: list[Attribute], order: ByteOrder) -> None:
        """`attributes` say how records end."""
        self._order = order
        from_end = {number: _time_from_end(one) for one in attributes for number in one.ids}
        self._first = _time_from_end(attributes[0]) if attributes else 0
        self._ids = np.array(sorted(from_end), np.uint64)
        self._times = np.array([from_end[number] for number in sorted(from_end)], np.int64)
        self._samples_have_times = any(one.layout.has(records.SAMPLE_TIME) for one in attributes)

    def read(self, block: Block, ordinal: int) -> list[tuple[int, int, TaskEvent | UserCallers]]:
        """The task events of a block whose first record is the recording's number `ordinal`."""
        events: list[tuple[int, int, TaskEvent | UserCallers]] = []
        for kinds, maker in ((_MAPS, self._maps), ((records.COMM,), self._comms),
                             ((records.FORK,), self._forks), ((records.EXIT,), self._exits),
                             ((records.NAMESPACES,), self._namespaces),
                             ((records.CALLCHAIN_DEFERRED,), self._user_callers)):  # fmt: skip
            indices = block.of(*kinds)
            if kinds == (records.EXIT,):
                indices = self._of_processes(block, indices)
            if len(indices):
                times = self._times_of(block, indices, ordinal).tolist()
                task_events = maker(block, indices)
                events += zip(times, (indices + ordinal).tolist(), task_events, strict=True)
        return events

    def _times_of(self, block: Block, indices: Int64, ordinal: int) -> Int64:
        """When they were written. Without that: at once (-1), or, where the samples have no times
        either, their place in the file."""
        starts = block.starts[indices]
        sizes = self._order.sizes(block.headers[indices]).view(np.int64) >> 3
        ends = starts + sizes
        back = np.full(len(indices), self._first)
        if len(set(self._times.tolist()) | {self._first}) > 1:  # then all end in their event's id
            ids = block.words[ends - 1]
            at = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
            back = np.where(self._ids[at] == ids, self._times[at], back)
        otherwise = np.full(len(indices), -1) if self._samples_have_times else indices + ordinal
        timed = (back > 0) & (back < sizes)
        times = block.words[np.where(timed, ends - back, 0)].view(np.int64)
        return np.where(timed, times, otherwise)

    def _columns(self, block: Block, indices: Int64, count: int) -> list[UInt64]:
        """The first words of records behind the header, as columns."""
        starts = block.starts[indices]
        sizes = self._order.sizes(block.headers[indices])
        short = np.flatnonzero(sizes < np.uint64(8 * (count + 1)))
        if len(short):
            message = f"record of {sizes[short[0]]} bytes"
            raise struct.error(message)
        return [block.words[starts + n] for n in range(1, count + 1)]

    def _texts(self, block: Block, indices: Int64, offset: Int64 | int) -> list[str]:
        starts = 8 * block.starts[indices]
        ends = starts + self._order.sizes(block.headers[indices]).view(np.int64)
        raws = (
            bytes(block.raw[start:end])
            for start, end in zip((starts + offset).tolist(), ends.tolist(), strict=True)
        )
        return [text(raw) for raw in raws]

    def _maps(self, block: Block, indices: Int64) -> list[TaskEvent]:
        """MMAP, which knows no protection, and MMAP2."""
        is_second = block.types[indices] == records.MMAP2
        misc = self._order.misc(block.headers[indices]).view(np.int64)
        thread, start, size, offset = self._columns(block, indices, 4)
        names = self._texts(block, indices, np.where(is_second, 72, 40))
        protection = np.where(misc & records.MISC_MMAP_DATA, 0, _PROT_EXEC)
        flags = np.zeros(len(indices), np.int64)
        if is_second.any():
            guarded = self._columns(block, indices[is_second], 8)[7]
            protection[is_second] = self._order.first(guarded)
            flags[is_second] = self._order.second(guarded)
        rows = zip(
            signed(self._order.first(thread)).tolist(), start.tolist(), size.tolist(),
            offset.tolist(), names, ((protection & _PROT_EXEC) > 0).tolist(),
            ((flags & _MAP_HUGETLB) > 0).tolist(),
            (misc & records.CPUMODE_MASK).tolist(),
            self._build_ids(block, indices, is_second & (misc & records.MISC_BUILD_ID > 0)),
            strict=True,
        )  # fmt: skip
        return [_map(*row) for row in rows]

    def _build_ids(self, block: Block, indices: Int64, has_one: Bool) -> list[str | None]:
        build_ids: list[str | None] = [None] * len(indices)
        for one in np.flatnonzero(has_one).tolist():
            start = 8 * int(block.starts[indices[one]])
            size = min(block.raw[start + 40], 20)
            build_ids[one] = bytes(block.raw[start + 44 : start + 44 + size]).hex()
        return build_ids

    def _user_callers(self, block: Block, indices: Int64) -> list[UserCallers]:
        """Cookie, how many entries, and the entries."""
        cookies, counts = self._columns(block, indices, 2)
        starts = block.starts[indices] + 3
        room = self._order.sizes(block.headers[indices]) // np.uint64(8) - np.uint64(3)
        ends = starts + np.minimum(counts, room).view(np.int64)
        rows = zip(cookies.tolist(), starts.tolist(), ends.tolist(), strict=True)
        return [UserCallers(cookie, block.words[start:end].copy()) for cookie, start, end in rows]

    def _comms(self, block: Block, indices: Int64) -> list[TaskEvent]:
        (thread,) = self._columns(block, indices, 1)
        pids, tids = signed(self._order.first(thread)), signed(self._order.second(thread))
        names = self._texts(block, indices, 16)
        return list(map(Comm, pids.tolist(), tids.tolist(), names))

    def _forks(self, block: Block, indices: Int64) -> list[TaskEvent]:
        """pid, parent's pid, tid, parent's tid."""
        misc = self._order.misc(block.headers[indices]).view(np.int64)
        columns = [
            signed(half(words)).tolist()
            for words in self._columns(block, indices, 2)
            for half in (self._order.first, self._order.second)
        ]
        pid, parent_pid, tid, parent_tid = columns
        inherits = (misc & records.MISC_FORK_EXEC == 0).tolist()
        return list(map(Fork, pid, tid, parent_pid, parent_tid, inherits))

    def _namespaces(self, block: Block, indices: Int64) -> list[TaskEvent]:
        """pid, tid, how many, then device and inode of each kind."""
        count = 3 + 2 * network_namespaces.NET
        columns = self._columns(block, indices, count + 1)
        threads, inodes = columns[0], columns[count].view(np.int64)
        pids, tids = signed(self._order.first(threads)), signed(self._order.second(threads))
        return list(map(Namespaces, pids.tolist(), tids.tolist(), inodes.tolist()))

    def _of_processes(self, block: Block, indices: Int64) -> Int64:
        """Those EXITs that are of the first thread of a process."""
        pids, tids = self._columns(block, indices, 2)
        is_first = self._order.first(pids) == self._order.first(tids)
        return indices[np.flatnonzero(is_first)]

    def _exits(self, block: Block, indices: Int64) -> list[TaskEvent]:
        """pid, parent's pid, tid, parent's tid."""
        pids = self._columns(block, indices, 1)[0]
        return list(map(Exit, signed(self._order.first(pids)).tolist()))

    def kernel_symbol(self, record: memoryview) -> KernelSymbol | None:
        """KSYMBOL; None for one that says that code is gone: names stay."""
        start, size, _, flags = self._order.unpack("QIHH", record, 8)
        return None if flags & 1 else KernelSymbol(start, size, text(record[24:]))


def _map(
    pid: int, start: int, size: int, offset: int, dso: str, executable: bool, huge: bool,
    mode: int, build_id: str | None,
) -> Mapping:  # fmt: skip
    anonymous = huge or is_anonymous(dso)
    if anonymous and executable:
        dso = f"/tmp/perf-{pid}.map"  # where a just-in-time compiler would say more
    pgoff_bias = 0 if anonymous else (0 if dso == "[vdso]" else offset) - start
    return Mapping(pid, start, min(start + size, (1 << 64) - 1), pgoff_bias, dso, mode, build_id)


def _time_from_end(attribute: Attribute) -> int:
    """How many words before its end a record has its time; 0 for nowhere."""
    sample_type = attribute.layout.sample_type
    if not attribute.sample_id_all or not sample_type & records.SAMPLE_TIME:
        return 0
    return (sample_type & _BEHIND_TIME).bit_count() + 1
