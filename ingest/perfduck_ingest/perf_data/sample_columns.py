"""Samples as columns, while their chains are still words of a block."""

from dataclasses import dataclass

from perfduck_ingest.perf_data.stream import Block
from perfduck_model.arrays import Bool, Int64, UInt64


@dataclass(frozen=True, slots=True)
class UserStacks:
    """Copies of registers and stacks in user space, as columns: places in the block's words."""

    mask: int  # which registers there are: PERF_REG_*
    registers: Int64  # the first one
    abi: UInt64  # records.REGS_ABI_64; 0 where there are none
    stack: Int64
    used: Int64  # bytes of the stack that could be copied

    def where(self, chosen: Bool | Int64) -> "UserStacks":
        """Those of the samples that are chosen."""
        return UserStacks(
            self.mask,
            self.registers[chosen],
            self.abi[chosen],
            self.stack[chosen],
            self.used[chosen],
        )


@dataclass(frozen=True, slots=True)
class Samples:
    """Columns, in the order of the file. A field that the event did not record is -1 (period: the
    fixed one, or -1); chains are places in the block's words."""

    block: Block
    record: Int64  # which of the block's
    ip: UInt64
    mode: Int64  # where the processor was: records.KERNEL, USER, ...
    pid: Int64
    tid: Int64
    time: Int64  # ns; places in the recording where no time was recorded
    timed: Bool  # whether the time is the recorded one
    cpu: Int64
    period: Int64
    event: Int64  # place in the recording's attributes
    cgroup: Int64
    netns: Int64  # inode; 0 where unknown
    chain: Int64  # first entry
    depth: Int64  # entries; -1 where the event records no chains
    user_stacks: UserStacks | None

    def __len__(self) -> int:
        """How many samples."""
        return len(self.ip)

    def where(self, chosen: Bool | Int64) -> "Samples":
        """Those that are chosen, by flags or by their places."""
        columns = {name: getattr(self, name)[chosen] for name in self.__slots__[1:-1]}
        stacks = None if self.user_stacks is None else self.user_stacks.where(chosen)
        return Samples(block=self.block, user_stacks=stacks, **columns)
