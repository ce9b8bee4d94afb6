"""What was asked of the kernel: perf_event_attr, one for each event.

    cpu-clock, type = 1, config = 0, sample_freq = 999,
    sample_type = IP|TID|TIME|CALLCHAIN|ID|CPU|PERIOD, ids = {1947, 1948}

The sample type says which fields a sample has; a sample names its event by one of the ids.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace

from perfduck_ingest.perf_data import records
from perfduck_ingest.perf_data.records import ByteOrder

SMALLEST = 64  # PERF_ATTR_SIZE_VER0

# Where bit fields start from the top, as on big-endian machines, bit n is bit 63 - n.
_LAST_BIT = 63
_EXCLUDE_USER = 4
_EXCLUDE_KERNEL = 5
_FREQ = 10
_SAMPLE_ID_ALL = 18
_DEFER_CALLCHAIN = 38

# type -> config -> name, as parse-events.c names them where no description was recorded
_HARDWARE = (
    "cycles", "instructions", "cache-references", "cache-misses", "branches", "branch-misses",
    "bus-cycles", "stalled-cycles-frontend", "stalled-cycles-backend", "ref-cycles",
)  # fmt: skip
_SOFTWARE = (
    "cpu-clock", "task-clock", "page-faults", "context-switches", "cpu-migrations",
    "minor-faults", "major-faults", "alignment-faults", "emulation-faults", "dummy",
    "bpf-output", "cgroup-switches",
)  # fmt: skip
_TRACEPOINT = 2
# Of a hybrid CPU: the type of the PMU is above the event, 0xEEEEEEEE000000AA (linux/perf_event.h).
_WITH_PMU = frozenset({0, 3})  # PERF_TYPE_HARDWARE, PERF_TYPE_HW_CACHE
_PMU_SHIFT = 32
_NAMES = {0: _HARDWARE, 1: _SOFTWARE}


@dataclass(frozen=True, slots=True)
class SampleLayout:
    """Which fields a sample has, as far as their places depend on it."""

    sample_type: int
    read_format: int
    branch_sample_type: int
    user_registers: int  # a bit each
    interrupt_registers: int  # likewise

    def has(self, field: int) -> bool:
        """Whether samples have this field, or one of several."""
        return bool(self.sample_type & field)

    @property
    def has_branch_callers(self) -> bool:
        """Whether branch stacks are the callers in user space: --call-graph lbr."""
        call_stack = bool(self.branch_sample_type & records.BRANCH_CALL_STACK)
        return call_stack and self.has(records.SAMPLE_CALLCHAIN)

    @property
    def has_user_stacks(self) -> bool:
        """Whether samples have copies of their user's stack, to be unwound: --call-graph dwarf."""
        needed = records.SAMPLE_CALLCHAIN | records.SAMPLE_REGS_USER | records.SAMPLE_STACK_USER
        return self.sample_type & needed == needed


@dataclass(frozen=True, slots=True)
class Attribute:
    """One event as it was asked for."""

    name: str
    asked: tuple[int, int]  # type and config
    only: str  # '', or where it counts: :u, :k
    layout: SampleLayout
    period: int | None  # of each sample, where it is fixed
    frequency: int | None
    sample_id_all: bool
    has_deferred_callers: bool  # --call-graph fp,defer
    ids: tuple[int, ...]

    @property
    def has_period(self) -> bool:
        """Whether it is known how many events a sample represents."""
        return self.period is not None or self.layout.has(records.SAMPLE_PERIOD)

    @property
    def is_tracepoint(self) -> bool:
        """Whether its config is the id of a tracepoint."""
        return self.asked[0] == _TRACEPOINT

    @property
    def is_named(self) -> bool:
        """Whether the recording says what it is called."""
        return self.name != _name(*self.asked)

    def with_ids(self, ids: tuple[int, ...]) -> "Attribute":
        """The same event with the ids that its samples bear."""
        return replace(self, ids=ids)

    def named(self, name: str) -> "Attribute":
        """The same event under the name that perf gave it."""
        return replace(self, name=name)

    def of_pmu(self, names: Mapping[int, str]) -> "Attribute":
        """The same event, `cpu_atom/cycles/P` where the recording has `cycles:P` of that PMU: older
        perf writes the events of all core PMUs of a hybrid CPU under one name."""
        number = self.asked[1] >> _PMU_SHIFT if self.asked[0] in _WITH_PMU else 0
        if not number or "/" in self.name:
            return self
        event, _, modifiers = self.name.partition(":")
        return self.named(f"{names.get(number, f'pmu_{number}')}/{event}/{modifiers}")


def attribute(raw: bytes | memoryview, order: ByteOrder) -> Attribute:
    """Read a perf_event_attr; raises struct.error where it is too short."""
    kind, size, config, period, sample_type, read_format, flags = order.unpack("IIQQQQQ", raw)
    if size and size < SMALLEST:
        message = f"perf_event_attr of {size} bytes"
        raise struct.error(message)
    branches, user, interrupt = _later_fields(raw, order)
    is_frequency = _flag(flags, _FREQ, order)
    return Attribute(
        name=_name(kind, config),
        asked=(kind, config),
        only=_only(_flag(flags, _EXCLUDE_USER, order), _flag(flags, _EXCLUDE_KERNEL, order)),
        layout=SampleLayout(sample_type, read_format, branches, user, interrupt),
        period=None
        if is_frequency or sample_type & records.SAMPLE_PERIOD or period >> 63
        else period,
        frequency=period if is_frequency else None,
        sample_id_all=_flag(flags, _SAMPLE_ID_ALL, order),
        has_deferred_callers=_flag(flags, _DEFER_CALLCHAIN, order),
        ids=(),
    )


def _later_fields(raw: bytes | memoryview, order: ByteOrder) -> tuple[int, int, int]:
    """Branch sample type, user and interrupt registers: 0 where an older perf knew none."""
    padded = bytes(raw[:104]).ljust(104, b"\0")
    branches, user = order.unpack("QQ", padded, 72)
    (interrupt,) = order.unpack("Q", padded, 96)
    return branches, user, interrupt


def _flag(flags: int, bit: int, order: ByteOrder) -> bool:
    return bool(flags >> (_LAST_BIT - bit if order.big else bit) & 1)


def _only(no_user: bool, no_kernel: bool) -> str:
    return "" if no_user == no_kernel else ":u" if no_kernel else ":k"


def _name(kind: int, config: int) -> str:
    names = _NAMES.get(kind, ())
    event = config % (1 << _PMU_SHIFT) if kind in _WITH_PMU else config
    return names[event] if event < len(names) else f"type {kind} config {config:#x}"
