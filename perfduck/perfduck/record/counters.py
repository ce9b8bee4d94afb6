"""Counters of network devices, as the kernel and drivers have them at this moment.

netdev:eth0:rx_packets      /proc/net/dev
ethtool:eth0:rx_queue_0_packets      ethtool -S eth0
"""

from dataclasses import dataclass

from perfduck.record.network_namespace import printed
from perfduck_ingest.counters import CounterName, value
from perfduck_model.errors import PerfduckError

_COMMANDS = {"netdev": ("cat", "/proc/net/dev"), "ethtool": ("ethtool", "-S")}


@dataclass(frozen=True, slots=True)
class LiveCounter:
    """A counter of a device of this machine, in a network namespace; None: that of this process."""

    name: CounterName
    netns: str | None = None

    def read(self) -> int:
        """Its value now. PerfduckError where there is none of that name."""
        device = (self.name.device,) if self.name.kind == "ethtool" else ()
        command = (*_COMMANDS[self.name.kind], *device)
        text, error = printed(command, self.netns)
        if error:
            raise PerfduckError.at(
                str(self.name), expected=f"what `{' '.join(command)}` prints", got=error
            )
        return value(self.name, text, f"`{' '.join(command)}`")
