"""The fields of the samples of a block, as columns.

    IDENTIFIER IP TID TIME ADDR ID STREAM_ID CPU PERIOD READ CALLCHAIN RAW ... CGROUP

Fields come in this order, each only if the event's sample type names it. Up to CALLCHAIN most are
one word each; from there on their places differ from sample to sample.

READ is the counts of a group that was sampled as one, `{a,b}:S`:

    cpu-clock 14216.822984881  nr 3  {1013882, id 71, lost 0} {924, id 72, 0} {1155302, id 73, 0}

Only the leader has samples. Each represents samples of all members: as many events as the member
counted since the sample before, and none where it counted none.
"""

from collections import Counter
from dataclasses import replace

import numpy as np

from perfduck_ingest import limitations, network_namespaces
from perfduck_ingest.perf_data import records
from perfduck_ingest.perf_data.attributes import Attribute, SampleLayout
from perfduck_ingest.perf_data.callers import with_branch_callers
from perfduck_ingest.perf_data.records import ByteOrder, signed
from perfduck_ingest.perf_data.sample_columns import Samples, UserStacks
from perfduck_ingest.perf_data.stream import Block
from perfduck_model.arrays import Bool, Int64, UInt64

_ONE = np.uint64(1)
# The chain.
_WANTED_BEHIND = records.SAMPLE_CGROUP | records.SAMPLE_STACK_USER | records.SAMPLE_BRANCH_STACK


class SampleReader:
    """Reads the samples of blocks whose events are `attributes`."""

    def __init__(self, attributes: list[Attribute], order: ByteOrder) -> None:
        self._attributes = attributes
        self._order = order
        pairs = sorted((one, index) for index, it in enumerate(attributes) for one in it.ids)
        self._ids = np.array([one for one, _ in pairs], np.uint64)
        self._events = np.array([index for _, index in pairs], np.int64)
        self._layouts: dict[SampleLayout, list[int]] = {}
        for index, one in enumerate(attributes):
            self._layouts.setdefault(one.layout, []).append(index)
        self._id_word = _id_word(attributes[0].layout) if attributes else None
        self._read_counts = ReadCounts(self._ids)
        self.limitations = Counter[str]()  # samples by what is not kept of them: see limitations.py

    def read(self, block: Block, ordinal: int) -> list[Samples]:
        """The samples of a block whose first record is the recording's number `ordinal`: together
        as far as they have the same layout."""
        indices = block.of(records.SAMPLE)
        events = self._events_of(block, block.starts[indices])
        if (unknown := events < 0).any():
            self.limitations[limitations.NO_EVENT] += int(unknown.sum())
            indices, events = indices[~unknown], events[~unknown]
        parts = []
        for layout, members in self._layouts.items():
            chosen = np.isin(events, members) if len(self._layouts) > 1 else slice(None)
            gather = _Gather(block, self._order, block.starts[indices[chosen]], layout)
            part = self._samples(gather, events[chosen], indices[chosen], ordinal)
            if layout.has_branch_callers:
                part = with_branch_callers(part, gather.branches, gather.branch_counts)
            else:
                self.limitations[limitations.BRANCHES] += int((gather.branch_counts > 0).sum())
            if len(self._ids) and gather.has_ids_of_counts:
                part = self._spread(part, gather)
            parts.append(part)
        return [part for part in parts if len(part)]

    def _events_of(self, block: Block, starts: Int64) -> Int64:
        """The event of each sample: by its id, or the only one there is. As with perf the id 0 is
        the first one's; -1 where no event has the id."""
        if self._id_word is None or not len(self._ids) or len(self._attributes) == 1:
            return np.zeros(len(starts), np.int64)
        ids = block.words[np.minimum(starts + self._id_word, len(block.words) - 1)]
        index = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        is_known = self._ids[index] == ids
        return np.where(is_known, self._events[index], np.where(ids == 0, 0, -1))

    def _samples(self, gather: "_Gather", events: Int64, indices: Int64, ordinal: int) -> Samples:
        fields = gather.fields()
        missing = np.full(len(events), -1, np.int64)
        pid_tid = fields.get(records.SAMPLE_TID)
        time, timed = self._times(fields.get(records.SAMPLE_TIME), indices + ordinal)
        fixed = np.array([one.period or -1 for one in self._attributes], np.int64)
        mode = self._order.misc(gather.headers) & np.uint64(records.CPUMODE_MASK)
        return Samples(
            block=gather.block,
            record=indices,
            ip=fields.get(records.SAMPLE_IP, missing.view(np.uint64)),
            mode=mode.view(np.int64),
            pid=missing if pid_tid is None else signed(self._order.first(pid_tid)),
            tid=missing if pid_tid is None else signed(self._order.second(pid_tid)),
            time=time,
            timed=timed,
            cpu=_cpu(fields.get(records.SAMPLE_CPU), self._order, missing),
            period=self._periods(fields.get(records.SAMPLE_PERIOD), fixed[events]),
            event=events,
            cgroup=_or(fields.get(records.SAMPLE_CGROUP), missing),
            netns=np.full(len(events), network_namespaces.UNKNOWN),
            chain=gather.chain,
            depth=gather.depth,
            user_stacks=gather.user_stacks if gather.layout.has_user_stacks else None,
        )

    def _times(self, field: UInt64 | None, indices: Int64) -> tuple[Int64, Bool]:
        """The time of each sample, and whether it was recorded. One that is none, as in a damaged
        file, would be the newest of all: its sample counts as of the time of the one before."""
        if field is None:
            return indices, np.zeros(len(indices), np.bool_)
        times = field.view(np.int64)
        timed = times >= 0
        if timed.all():
            return times, timed
        self.limitations[limitations.TIME] += int((~timed).sum())
        last = np.maximum.accumulate(np.where(timed, np.arange(len(times)), -1))
        first = times[timed][:1].sum()  # 0 where no time is one
        return np.where(last < 0, first, times[last]), timed

    def _periods(self, field: UInt64 | None, fixed: Int64) -> Int64:
        if field is None:
            return fixed
        periods = field.view(np.int64)
        beyond = int((periods < 0).sum())
        if not beyond:
            return periods
        self.limitations[limitations.PERIOD] += beyond
        return np.maximum(periods, -1)

    def _spread(self, samples: Samples, gather: "_Gather") -> Samples:
        """A sample of each event whose count was read."""
        form = gather.layout.read_format
        owners, which, periods = self._read_counts.of(
            gather.block.words, form, gather.reading, gather.members
        )
        periods = self._periods(periods.view(np.uint64), periods)
        return replace(samples.where(owners), event=self._events[which], period=periods)


def _or(field: UInt64 | None, otherwise: Int64) -> Int64:
    return otherwise if field is None else field.view(np.int64)


def _cpu(field: UInt64 | None, order: ByteOrder, missing: Int64) -> Int64:
    return missing if field is None else signed(order.first(field))


def _id_word(layout: SampleLayout) -> int | None:
    """In which word of a sample its id is: the same for all events of a recording."""
    if layout.has(records.SAMPLE_IDENTIFIER):
        return 1
    if not layout.has(records.SAMPLE_ID):
        return None
    before = records.SAMPLE_IP | records.SAMPLE_TID | records.SAMPLE_TIME | records.SAMPLE_ADDR
    return 1 + (layout.sample_type & before).bit_count()


class _Gather:
    """Reads one field after the other of samples that have the same layout."""

    def __init__(self, block: Block, order: ByteOrder, starts: Int64, layout: SampleLayout) -> None:
        self.block = block
        self._order = order
        self.layout = layout
        self.headers = block.words[starts]
        self._end = starts + (order.sizes(self.headers) >> np.uint64(3)).view(np.int64)
        self._at = starts + 1
        self.chain = self._at
        self.depth = np.full(len(starts), -1, np.int64)
        self.reading = self._at  # where the counts begin that were read, and of how many events
        self.members = np.ones(len(starts), np.int64)
        self.branches = self._at  # where branches begin, and how many there are
        self.branch_counts = np.zeros(len(starts), np.int64)
        self._registers = self._stack = self._at
        self._abi = np.zeros(len(starts), np.uint64)
        self._used = np.zeros(len(starts), np.int64)

    @property
    def has_ids_of_counts(self) -> bool:
        """Whether samples say what events had counted, and which."""
        form = self.layout.read_format
        return self.layout.has(records.SAMPLE_READ) and bool(form & records.READ_ID)

    @property
    def user_stacks(self) -> UserStacks:
        """Copies of registers and stacks, behind fields()."""
        mask = self.layout.user_registers
        return UserStacks(mask, self._registers, self._abi, self._stack, self._used)

    def fields(self) -> dict[int, UInt64]:
        """The one-word fields that are wanted; sets chain and depth."""
        values: dict[int, UInt64] = {}
        for field in _WORDS_BEFORE:
            if self.layout.has(field):
                values[field] = self._word()
        if self.layout.has(records.SAMPLE_READ):
            self._pass_read()
        if self.layout.has(records.SAMPLE_CALLCHAIN):
            self._chains()
        if self.layout.has(_WANTED_BEHIND):
            self._pass_to_cgroup()
        if self.layout.has(records.SAMPLE_CGROUP):
            values[records.SAMPLE_CGROUP] = self._word()
        return values

    def _word(self) -> UInt64:
        self._check()
        words = self.block.words[self._at]
        self._at = self._at + 1
        return words

    def _check(self) -> None:
        """Whether there is one more word."""
        self._check_end(self._at + 1)

    def _check_end(self, at: Int64 | None = None) -> None:
        behind = np.flatnonzero((self._at if at is None else at) > self._end)
        if len(behind):
            raise SampleTooShort(8 * int(self._end[behind[0]]))

    def _skip(self, words: UInt64 | int) -> None:
        """Pass over some words: clipped, so that nonsense does not point outside the block."""
        size = np.uint64(len(self.block.words))
        self._at = self._at + np.minimum(np.asarray(words, np.uint64), size).view(np.int64)

    def _chains(self) -> None:
        count = self._word()
        self.chain = self._at
        self.depth = np.minimum(count, np.uint64(len(self.block.words))).view(np.int64)
        self._at = self._at + self.depth
        self._check_end()

    def _pass_read(self) -> None:
        self.reading = self._at
        form = self.layout.read_format
        if form & records.READ_GROUP:
            self._check()
            members = self.block.words[self._at]
            self.members = np.minimum(members, np.uint64(len(self.block.words))).view(np.int64)
        self._at = self._at + _read_words(form, self.members)
        self._check_end()

    def _pass_to_cgroup(self) -> None:
        if self.layout.has(records.SAMPLE_RAW):
            self._pass_raw()
        if self.layout.has(records.SAMPLE_BRANCH_STACK):
            self._pass_branches()
        if self.layout.has(records.SAMPLE_REGS_USER):
            self._abi, self._registers = self._pass_registers(self.layout.user_registers)
        if self.layout.has(records.SAMPLE_STACK_USER):
            self._pass_stack()
        for field in (records.SAMPLE_WEIGHT | records.SAMPLE_WEIGHT_STRUCT, *_WORDS_BETWEEN):
            self._skip(int(self.layout.has(field)))
        if self.layout.has(records.SAMPLE_REGS_INTR):
            self._pass_registers(self.layout.interrupt_registers)
        self._skip(int(self.layout.has(records.SAMPLE_PHYS_ADDR)))

    def _pass_raw(self) -> None:
        """u32 size, the bytes, padded so that the next field is at a whole word."""
        size = self._order.first(self._word())
        self._skip((size + np.uint64(4 + 7)) // np.uint64(8) - _ONE)

    def _pass_branches(self) -> None:
        """How many, the index of the hardware, three words of each, counters of each."""
        kind = self.layout.branch_sample_type
        count = np.minimum(self._word(), np.uint64(len(self.block.words)))
        self._skip(1 if kind & records.BRANCH_HW_INDEX else 0)
        self.branches = self._at
        self._skip(count * np.uint64(4 if kind & records.BRANCH_COUNTERS else 3))
        self._check_end()
        self.branch_counts = count.view(np.int64)

    def _pass_registers(self, mask: int) -> tuple[UInt64, Int64]:
        """The ABI, and the registers unless it is 0: none. Returns it, and where they begin."""
        abi, begins = self._word(), self._at
        self._skip(np.where(abi == 0, np.uint64(0), np.uint64(mask.bit_count())))
        return abi, begins

    def _pass_stack(self) -> None:
        """The size, the bytes, and how many of them are used, unless the size is 0."""
        size, self._stack = self._word(), self._at
        self._skip(np.where(size == 0, np.uint64(0), size // np.uint64(8) + _ONE))
        self._check_end()
        used = self.block.words[self._at - 1]  # the size itself where it is 0
        self._used = np.minimum(used, size).view(np.int64)


class SampleTooShort(Exception):
    """A sample ends, at this byte of its block, before its fields do."""


_WORDS_BEFORE = (
    records.SAMPLE_IDENTIFIER,
    records.SAMPLE_IP,
    records.SAMPLE_TID,
    records.SAMPLE_TIME,
    records.SAMPLE_ADDR,
    records.SAMPLE_ID,
    records.SAMPLE_STREAM_ID,
    records.SAMPLE_CPU,
    records.SAMPLE_PERIOD,
)
_WORDS_BETWEEN = (records.SAMPLE_DATA_SRC, records.SAMPLE_TRANSACTION)


class ReadCounts:
    """Remembers what each id had counted: PERF_SAMPLE_READ."""

    def __init__(self, ids: UInt64) -> None:
        """`ids` are sorted."""
        self._ids = ids
        self._counts = np.zeros(len(ids), np.uint64)

    def of(
        self, words: UInt64, form: int, starts: Int64, members: Int64
    ) -> tuple[Int64, Int64, Int64]:
        """For each count that is not 0: which reading it is of, which of the ids, and how much.
        Readings of the read format `form` begin at `starts`; ids that nobody knows are left out."""
        indices, owners = _counts_of_reads(form, starts, members)
        ids = words[indices + _id_behind(form)]
        which = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        places = np.flatnonzero(self._ids[which] == ids)
        which = which[places]
        since = self._since(which, words[indices[places]]).view(np.int64)
        counted = np.flatnonzero(since)
        return owners[places[counted]], which[counted], since[counted]

    def _since(self, which: Int64, counts: UInt64) -> UInt64:
        """What was counted since the reading before of the same id."""
        order = np.argsort(which, kind="stable")
        ids, ordered = which[order], counts[order]
        before = np.roll(ordered, 1)
        begins = np.flatnonzero(np.diff(ids, prepend=-1))
        before[begins] = self._counts[ids[begins]]
        self._counts[ids] = ordered  # the last of each stays
        since = np.empty_like(counts)
        since[order] = ordered - before
        return since


def _read_words(form: int, members: Int64) -> Int64:
    """How many words a reading has: value [enabled] [running] [id] [lost], or a count and that for
    each of a group."""
    return (
        _words_in_front(form)
        + members * _words_each(form)
        + (0 if form & records.READ_GROUP else _words_of_times(form))
    )


def _counts_of_reads(form: int, starts: Int64, members: Int64) -> tuple[Int64, Int64]:
    """Where each value is, and which reading it is of."""
    owners = np.repeat(np.arange(len(starts)), members)
    number = np.arange(len(owners)) - np.repeat(np.cumsum(members) - members, members)
    return starts[owners] + _words_in_front(form) + number * _words_each(form), owners


def _words_in_front(form: int) -> int:
    return 1 + _words_of_times(form) if form & records.READ_GROUP else 0


def _words_each(form: int) -> int:
    return 1 + (form & (records.READ_ID | records.READ_LOST)).bit_count()


def _id_behind(form: int) -> int:
    return 1 if form & records.READ_GROUP else 1 + _words_of_times(form)


def _words_of_times(form: int) -> int:
    return (form & (records.READ_ENABLED | records.READ_RUNNING)).bit_count()
