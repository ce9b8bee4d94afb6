"""Counters of network devices, as work: what they counted between two texts.

    Inter-|   Receive                            ...                     /proc/net/dev
     face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs ...
      eth0: 5398440   89974    0    0    0     0          0         0 11516672   89974    0 ...

    NIC statistics:                                                      ethtool -S eth0
         peer_ifindex: 12
         rx_queue_0_xdp_packets: 0

The columns of /proc/net/dev are those of net/core/net-procfs.c; here they are called as ip -s link
and /sys/class/net/DEVICE/statistics call them.
"""

import re
from pathlib import Path

from msgspec import Struct

from perfduck_ingest.load_reports.amount import AN_AMOUNT, Work, is_amount
from perfduck_model.errors import PerfduckError
from perfduck_model.small_file import reason, text_of
from perfduck_model.words import did_you_mean, listed

KINDS = ("netdev", "ethtool")
SHAPE = "netdev:DEVICE:COUNTER or ethtool:DEVICE:COUNTER"
_COLUMNS = tuple(
    f"{side}_{name}"
    for side, names in (
        ("rx", "bytes packets errors dropped fifo frame compressed multicast"),
        ("tx", "bytes packets errors dropped fifo collisions carrier compressed"),
    )
    for name in names.split()
)
_DEVICE = re.compile(r"\s*(?P<device>[^\s:]+(?::\d+)?):\s*(?P<values>\d{1,20}(?:\s+\d{1,20})*)\s*")
_STATISTIC = re.compile(r"\s+(?P<name>\S.*?): (?P<value>\d{1,20})\s*")
_UNITS = ("packet", "byte")
_MOST_SHOWN = 8


class CounterName(Struct, frozen=True):
    """Which counter of which device."""

    kind: str  # netdev, ethtool
    device: str
    counter: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.device}:{self.counter}"

    @property
    def unit(self) -> str:
        """What it counts: packet, byte, or the counter itself."""
        named = [unit for unit in _UNITS if re.search(rf"(^|_){unit}s?(_|$)", self.counter)]
        return named[0] if named else self.counter


def is_counter(text: str) -> bool:
    """Whether --work-from names a counter, and no file."""
    return text.partition(":")[0] in KINDS and ":" in text


def work_between(text: str, folder: Path = Path()) -> Work:
    """What a counter counted between two files, BEFORE and AFTER of
    `netdev:eth0:rx_packets:BEFORE:AFTER`: copies of /proc/net/dev, or what ethtool -S printed."""
    head, *files = text.rsplit(":", 2)
    if len(files) < 2 or head.count(":") < 2:
        raise PerfduckError.at(
            where=f"--work-from {text}",
            expected=f"{SHAPE}, then :BEFORE:AFTER, two files",
            got=text,
        )
    name = counter_name(head)
    before, after = (value(name, _text(folder / file), str(folder / file)) for file in files)
    return Work(difference(name, before, after), name.unit)


def _text(path: Path) -> str:
    try:
        return text_of(path, errors="replace")
    except OSError as error:
        expected = "/proc/net/dev or what ethtool -S printed"
        raise PerfduckError.at(path, expected=expected, got=reason(error)) from error


def counter_name(text: str, option: str = "--work-from") -> CounterName:
    """The counter that `netdev:eth0:rx_packets` names."""
    kind, _, rest = text.partition(":")
    device, _, counter = rest.rpartition(":")
    if kind not in KINDS or not device or not counter:
        raise PerfduckError.at(where=f"{option} {text}", expected=SHAPE, got=text)
    return CounterName(kind, device, counter)


def value(name: CounterName, text: str, where: str) -> int:
    """The counter in what the kernel or ethtool printed. PerfduckError where it is not there."""
    values = device_counters(text).get(name.device) if name.kind == "netdev" else _ethtool(text)
    if not values:
        what = f"device {name.device}" if name.kind == "netdev" else "NIC statistics"
        got = _devices(text) if name.kind == "netdev" else _first_line(text)
        raise PerfduckError.at(where=f"{name}: {where}", expected=what, got=got)
    if name.counter not in values:
        hint = (
            did_you_mean(name.counter, list(values))
            or f"there are {listed(list(values), _MOST_SHOWN)}"
        )
        raise PerfduckError.at(
            where=f"{name}: {where}",
            expected=f"counter {name.counter}",
            got=f"none: {hint}".rstrip(": "),
        )
    return values[name.counter]


def difference(name: CounterName, before: int, after: int) -> int:
    """What was counted between; PerfduckError for nothing, for one that was set back, and for more
    than a store keeps as work."""
    if after <= before:
        got = "no change" if after == before else f"{before:,} before and {after:,} after"
        raise PerfduckError.at(str(name), expected="a counter that grew", got=got)
    if not is_amount(after - before):
        raise PerfduckError.at(str(name), expected=AN_AMOUNT, got=f"{after - before:,}")
    return after - before


def device_counters(text: str) -> dict[str, dict[str, int]]:
    """The counters of each device of /proc/net/dev: rx_bytes, rx_packets, ..."""
    matches = (_DEVICE.fullmatch(line) for line in text.splitlines())
    return {
        match["device"]: dict(zip(_COLUMNS, map(int, match["values"].split()), strict=False))
        for match in matches
        if match
    }


def _ethtool(text: str) -> dict[str, int]:
    matches = map(_STATISTIC.fullmatch, text.splitlines())
    return {match["name"]: int(match["value"]) for match in matches if match}


def _devices(text: str) -> str:
    """The devices of /proc/net/dev; of another text its first line."""
    devices = list(device_counters(text))
    return listed(devices, _MOST_SHOWN) if devices else _first_line(text)


def _first_line(text: str) -> str:
    return repr(next(iter(text.strip().splitlines()), "")[:60])
