"""What a counter counted, and how much time one of its hits represents.

CPU_CLK_UNHALTED.1000000.0   at 2300 MHz: a hit is 1,000,000 cycles, 434,783 ns
LLC_REFS.1500000.79          a hit is 1,500,000 references: LLC_REFS:0x4f
"""

import re

from msgspec import Struct

from perfduck_model.batch import Event

# Events whose count divided by the clock is time: Intel and AMD, ARM, PowerPC, POWER, Pentium 4.
# With a unit mask they count something else (Intel's 0x01 is the bus clock).
_CYCLES = re.compile(
    r"cpu_clk_unhalted|cpu_cycles|cycles|pm_(?:run_)?cyc(?:_grp\d+)?|cpu_clk", re.IGNORECASE
)
_CYCLES_WITH_MASK = "GLOBAL_POWER_EVENTS"  # Pentium 4: always with mask 0x01
_CLOCKS = (1e-3, 1e9)  # MHz: beyond is no clock of a CPU
_NUMBER = re.compile(r"\d{1,30}(?:\.\d{1,30})?(?:e[+-]?\d{1,3})?", re.ASCII)
_HIGHEST_MHZ = 100_000  # opreport before 1.0 printed kHz as MHz: `speed 2.601e+06 MHz`


class Counter(Struct, frozen=True):
    """An event as it was set up: a hit every `count` events. `mhz` is 0 where it is not known."""

    name: str
    count: int
    unit_mask: int = 0
    mhz: float = 0.0

    @property
    def event(self) -> str:
        """What the store calls it: the same in every recording."""
        return f"{self.name}:0x{self.unit_mask:02x}" if self.unit_mask else self.name

    @property
    def is_cycles(self) -> bool:
        """Whether it counts the cycles of the CPU."""
        if self.name == _CYCLES_WITH_MASK:
            return True
        return self.unit_mask == 0 and _CYCLES.fullmatch(self.name) is not None

    @property
    def unit(self) -> str:
        """The unit of the periods: ns where cycles and the clock are known."""
        if self.count == 0:
            return "sample"
        if self.is_cycles:
            return "ns" if self.mhz else "cycles"
        return self.name

    @property
    def period(self) -> float | None:
        """What one hit represents, in `unit`."""
        if self.count == 0:
            return None
        if self.unit != "ns":
            return float(self.count)
        mhz = self.mhz / 1000 if self.mhz > _HIGHEST_MHZ else self.mhz
        return self.count * 1000 / mhz


def clock(mhz: float) -> float:
    """The clock in MHz; 0 where the number is none of a CPU, nan and inf included."""
    return mhz if _CLOCKS[0] <= mhz <= _CLOCKS[1] else 0.0


def clock_of(text: str) -> float | None:
    """The clock that a report prints, in MHz; None for what is no clock of a CPU."""
    return (_NUMBER.fullmatch(text) and clock(float(text))) or None


def described(counters: list[Counter]) -> dict[str, Event]:
    """The events of a recording for its Facts."""
    return {counter.event: Event(counter.unit) for counter in counters}
