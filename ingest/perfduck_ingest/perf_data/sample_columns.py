"""Samples as columns, while their chains are still words of a block."""

from dataclasses import dataclass

from perfduck_ingest.perf_data.byte_order import Integers, Words
from perfduck_ingest.perf_data.mappings import Flags
from perfduck_ingest.perf_data.stream import Block


@dataclass(frozen=True, slots=True)
class Samples:
    """Columns, in the order of the file. A field that the event did not record is -1 (period: the
    fixed one, or -1); chains are places in the block's words."""

    block: Block
    record: Integers  # which of the block's
    ip: Words
    mode: Integers  # where the processor was: records.KERNEL, USER, ...
    pid: Integers
    tid: Integers
    time: Integers  # ns; places in the recording where no time was recorded
    timed: Flags  # whether the time is the recorded one
    cpu: Integers
    period: Integers
    event: Integers  # place in the recording's attributes
    cgroup: Integers
    chain: Integers  # first entry
    depth: Integers  # entries; -1 where the event records no chains

    def __len__(self) -> int:
        """How many samples."""
        return len(self.ip)

    def where(self, chosen: Flags | Integers) -> "Samples":
        """Those that are chosen, by flags or by their places."""
        columns = (getattr(self, name)[chosen] for name in list(self.__slots__)[1:])
        return Samples(self.block, *columns)
