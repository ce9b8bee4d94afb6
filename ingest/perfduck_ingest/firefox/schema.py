"""What is read of a processed profile: fields of src/types/profile.ts of firefox-devtools/profiler,
as versions from 41 on have them. Others, such as what markers say, are skipped and never built.
"""

import msgspec

OLDEST, NEWEST = 41, 75  # libs are of all threads; the version of profiler-cli 0.10.0


class SampleUnits(msgspec.Struct):
    """Units of the columns of samples."""

    cpu: str | None = msgspec.field(name="threadCPUDelta", default=None)


class ExtraEntry(msgspec.Struct):
    """A line of "More info"."""

    label: str
    value: msgspec.Raw


class ExtraSection(msgspec.Struct):
    """Lines of "More info"."""

    label: str
    entries: list[ExtraEntry] = []


class ProfileMeta(msgspec.Struct):
    """What a profile says of all its threads. `start_time` in ms of Unix time."""

    version: int = msgspec.field(name="preprocessedProfileVersion")
    start_time: float = msgspec.field(name="startTime", default=0.0)
    oscpu: str | None = None
    abi: str | None = None
    arguments: str | None = None
    cpus: int | None = msgspec.field(name="logicalCPUs", default=None)
    units: SampleUnits | None = msgspec.field(name="sampleUnits", default=None)
    extra: list[ExtraSection] = []


class MappedBinary(msgspec.Struct):
    """A binary that functions are in."""

    name: str = ""
    path: str = ""


class RawStackTable(msgspec.Struct, rename="camel"):
    """Stacks: a frame, and the stack of its caller; up to version 65 its row, then how far it is
    before."""

    frame: list[int] = []
    prefix: list[int | None] | None = None
    prefix_offset: list[int] | None = None


class RawFrameTable(msgspec.Struct):
    """Frames. From version 70 on the binary is here, from 71 on flags say what is known."""

    func: list[int] = []
    address: list[int | None] = []
    lib: list[int | None] | None = None
    flags: list[int] | None = None


class RawFuncTable(msgspec.Struct):
    """Functions; from version 75 on flags say what is known."""

    name: list[int] = []
    resource: list[int | None] = []
    flags: list[int] | None = None


class RawResourceTable(msgspec.Struct):
    """Where functions come from; up to version 69 with the binary."""

    name: list[int | None] = []
    lib: list[int | None] | None = None


class ProfileTables(msgspec.Struct, rename="camel"):
    """Tables: of a thread up to version 59, of all threads then; texts are from version 56 on."""

    string_array: list[str] = []
    stack_table: RawStackTable = msgspec.field(default_factory=RawStackTable)
    frame_table: RawFrameTable = msgspec.field(default_factory=RawFrameTable)
    func_table: RawFuncTable = msgspec.field(default_factory=RawFuncTable)
    resource_table: RawResourceTable = msgspec.field(default_factory=RawResourceTable)


class ThreadSamples(msgspec.Struct, rename="camel"):
    """Samples of a thread. Times in ms: since the start, or since the sample before."""

    stack: list[int | None] = []
    time: list[float | None] | None = None
    time_deltas: list[float] | None = None
    weight: list[float | None] | None = None
    weight_type: str | None = None
    cpu: list[float | None] | None = msgspec.field(name="threadCPUDelta", default=None)


class Rows(msgspec.Struct):
    """A table whose rows are counted and not read."""

    length: int = 0


class ProfileThread(msgspec.Struct, rename="camel"):
    """A thread of a process."""

    name: str = ""
    pid: str | int | None = None
    tid: str | int | None = None
    samples: ThreadSamples = msgspec.field(default_factory=ThreadSamples)
    markers: Rows = msgspec.field(default_factory=Rows)
    js_allocations: Rows = msgspec.field(default_factory=Rows)
    native_allocations: Rows = msgspec.field(default_factory=Rows)


class ProcessedProfile(msgspec.Struct):
    """A file; threads are decoded one by one, so that one of them is in memory."""

    meta: ProfileMeta
    libs: list[MappedBinary] = []
    shared: ProfileTables | None = None
    threads: list[msgspec.Raw] = []
    counters: list[Rows] = []
