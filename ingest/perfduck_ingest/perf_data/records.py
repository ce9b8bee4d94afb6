"""The layout of a recording: the numbers of linux/perf_event.h and tools/perf/util/event.h that the
importer knows, and the byte order of the machine that wrote them.

Fields are gathered as whole 64-bit words. Where two 32-bit fields share one, which is first in the
file depends on the byte order:

    little:  pid = word & 0xffffffff     tid = word >> 32
    big:     pid = word >> 32            tid = word & 0xffffffff
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from perfduck_model.arrays import Int64, UInt64

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


@dataclass(frozen=True, slots=True)
class ByteOrder:
    """How the recording machine laid out numbers."""

    big: bool

    @property
    def mark(self) -> str:
        """For struct and numpy."""
        return ">" if self.big else "<"

    def words(self, raw: bytes | memoryview) -> UInt64:
        """The 64-bit words of `raw`, a rest of less than 8 bytes left out; without a copy where
        the order is this machine's."""
        count = len(raw) // 8
        return np.frombuffer(raw, f"{self.mark}u8", count).astype(np.uint64, copy=False)

    def first(self, words: UInt64) -> UInt64:
        """The 32-bit field that comes first in each word."""
        return words >> _HALF if self.big else words & _LOW

    def second(self, words: UInt64) -> UInt64:
        """The 32-bit field that comes second in each word."""
        return words & _LOW if self.big else words >> _HALF

    def types(self, headers: UInt64) -> UInt64:
        """The types in record headers."""
        return self.first(headers)

    def misc(self, headers: UInt64) -> UInt64:
        """The flags of record headers: u32 type, u16 misc, u16 size."""
        shift = np.uint64(16 if self.big else 32)
        return (headers >> shift) & np.uint64(0xFFFF)

    def sizes(self, headers: UInt64) -> UInt64:
        """The sizes in record headers, in bytes."""
        return headers >> np.uint64(self.size_shift) & np.uint64(0xFFFF)

    @property
    def size_shift(self) -> int:
        """From which bit on the size is in record headers."""
        return 0 if self.big else 48

    def unpack(self, layout: str, raw: bytes | memoryview, offset: int = 0) -> tuple[Any, ...]:
        """Numbers at `offset`; raises struct.error where `raw` is too short."""
        try:
            return struct.unpack_from(self.mark + layout, raw, offset)
        except struct.error as error:
            message = "it ends within a record"
            raise struct.error(message) from error

    def pack(self, layout: str, *numbers: int) -> bytes:
        """Numbers as the recording machine would have written them."""
        return struct.pack(self.mark + layout, *numbers)


def signed(halves: UInt64) -> Int64:
    """32-bit fields that may be -1."""
    return halves.astype(np.uint32).view(np.int32).astype(np.int64)


def text(raw: bytes | memoryview) -> str:
    """A string of C, up to its first zero byte; bytes that are no UTF-8 become \\xnn."""
    return bytes(raw).split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


# Written by the kernel.
MMAP = 1
LOST = 2
COMM = 3
EXIT = 4
THROTTLE = 5
UNTHROTTLE = 6
FORK = 7
READ = 8
SAMPLE = 9
MMAP2 = 10
AUX = 11
ITRACE_START = 12
LOST_SAMPLES = 13
SWITCH = 14
SWITCH_CPU_WIDE = 15
NAMESPACES = 16
KSYMBOL = 17
BPF_EVENT = 18
CGROUP = 19
TEXT_POKE = 20
AUX_OUTPUT_HW_ID = 21
CALLCHAIN_DEFERRED = 22

# Written by perf itself.
HEADER_ATTR = 64
HEADER_EVENT_TYPE = 65
HEADER_TRACING_DATA = 66
HEADER_BUILD_ID = 67
FINISHED_ROUND = 68
ID_INDEX = 69
AUXTRACE_INFO = 70
AUXTRACE = 71
AUXTRACE_ERROR = 72
THREAD_MAP = 73
CPU_MAP = 74
STAT_CONFIG = 75
STAT = 76
STAT_ROUND = 77
EVENT_UPDATE = 78
TIME_CONV = 79
HEADER_FEATURE = 80
COMPRESSED = 81
FINISHED_INIT = 82
COMPRESSED2 = 83

TYPES = 256  # more than there are: what is beyond counts as the last one

# Nothing is lost by skipping them. BPF_EVENT: KSYMBOL names the code.
SILENT = frozenset(
    {
        BPF_EVENT, HEADER_EVENT_TYPE, HEADER_TRACING_DATA, FINISHED_ROUND, ID_INDEX,
        THREAD_MAP, CPU_MAP, STAT_CONFIG, STAT, STAT_ROUND, TIME_CONV, FINISHED_INIT,
    }
)  # fmt: skip

# Hold what the store has no place for, and say of the samples what one should know. Counted and
# shown as skipped, by these names and reasons.
_TRACE = "processor traces are not decoded"
_SWITCHES = "context switches are not kept"
PASSED_OVER = {
    THROTTLE: ("THROTTLE", "the kernel stopped an event for a while: samples are missing"),
    UNTHROTTLE: ("UNTHROTTLE", "the event goes on"),
    READ: ("READ", "counts of a thread that ended are not kept"),
    AUX: ("AUX", _TRACE),
    ITRACE_START: ("ITRACE_START", _TRACE),
    SWITCH: ("SWITCH", _SWITCHES),
    SWITCH_CPU_WIDE: ("SWITCH_CPU_WIDE", _SWITCHES),
    TEXT_POKE: ("TEXT_POKE", "changed kernel code is not looked into"),
    AUX_OUTPUT_HW_ID: ("AUX_OUTPUT_HW_ID", _TRACE),
    AUXTRACE_INFO: ("AUXTRACE_INFO", _TRACE),
    AUXTRACE: ("AUXTRACE", _TRACE),
    AUXTRACE_ERROR: ("AUXTRACE_ERROR", _TRACE),
}

# The low bits of a header's misc: where the processor was.
CPUMODE_MASK = 7
KERNEL = 1
USER = 2
HYPERVISOR = 3
GUEST_KERNEL = 4
GUEST_USER = 5

REGS_ABI_64 = 2

MISC_MMAP_DATA = 1 << 13
MISC_FORK_EXEC = 1 << 13  # made up by perf for a process that ran already: inherits no maps
MISC_BUILD_ID = 1 << 14  # of MMAP2: a build id replaces device and inode
MISC_BUILD_ID_SIZE = 1 << 15  # of HEADER_BUILD_ID: the size of the build id is given

# Entries of a call chain from here on say where the following addresses lie.
CONTEXT_MAX = (1 << 64) - 4095
CONTEXT_HYPERVISOR = (1 << 64) - 32
CONTEXT_KERNEL = (1 << 64) - 128
CONTEXT_USER = (1 << 64) - 512
CONTEXT_USER_DEFERRED = (1 << 64) - 640  # the cookie of a CALLCHAIN_DEFERRED follows
CONTEXT_GUEST_KERNEL = (1 << 64) - 2176
CONTEXT_GUEST_USER = (1 << 64) - 2560

# perf_event_attr.sample_type
SAMPLE_IP = 1 << 0
SAMPLE_TID = 1 << 1
SAMPLE_TIME = 1 << 2
SAMPLE_ADDR = 1 << 3
SAMPLE_READ = 1 << 4
SAMPLE_CALLCHAIN = 1 << 5
SAMPLE_ID = 1 << 6
SAMPLE_CPU = 1 << 7
SAMPLE_PERIOD = 1 << 8
SAMPLE_STREAM_ID = 1 << 9
SAMPLE_RAW = 1 << 10
SAMPLE_BRANCH_STACK = 1 << 11
SAMPLE_REGS_USER = 1 << 12
SAMPLE_STACK_USER = 1 << 13
SAMPLE_WEIGHT = 1 << 14
SAMPLE_DATA_SRC = 1 << 15
SAMPLE_IDENTIFIER = 1 << 16
SAMPLE_TRANSACTION = 1 << 17
SAMPLE_REGS_INTR = 1 << 18
SAMPLE_PHYS_ADDR = 1 << 19
SAMPLE_AUX = 1 << 20
SAMPLE_CGROUP = 1 << 21
SAMPLE_WEIGHT_STRUCT = 1 << 24

# perf_event_attr.read_format
READ_ENABLED = 1 << 0
READ_RUNNING = 1 << 1
READ_ID = 1 << 2
READ_GROUP = 1 << 3
READ_LOST = 1 << 4

# perf_event_attr.branch_sample_type
BRANCH_CALL_STACK = 1 << 11  # --call-graph lbr
BRANCH_HW_INDEX = 1 << 17
BRANCH_COUNTERS = 1 << 19
