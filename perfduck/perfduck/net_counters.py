"""Counters of the network stack, before and after a run: how often a packet passes which station.

    ==> before/softnet_stat <==        of the machine: a line for each CPU, hexadecimal
    000fb58e 00000000 00000001 ...     received by __netif_receive_skb_core, dropped, squeezed

    ==> before/pod/snmp <==            of a network namespace: two lines for each protocol
    Ip: Forwarding DefaultTTL InReceives ...
    Ip: 1 64 812950 ...

    ==> after/pod/dev <==              /proc/net/dev of it

As `tail -n +1 before/softnet_stat before/*/* after/softnet_stat after/*/*` prints files. The last
directory is the name of the namespace; what is in none called `before` is from after the run. A
text without such lines is one file. Formats: net/core/net-procfs.c, net/ipv4/proc.c and
net/ipv6/proc.c of Linux.
"""

import re
from collections.abc import Iterator

import polars as pl
from msgspec import Struct

from perfduck_ingest.counters import device_counters
from perfduck_model.errors import PerfduckError
from perfduck_store.records import AttachedTable

_HEAD = re.compile(r"==> (?P<path>.+) <==")
_SOFTNET = re.compile(r"(?:[0-9a-f]{8}(?: |$)){3,}")
_SNMP = re.compile(r"(?P<protocol>\w+):(?P<cells>(?: \S+)+) ?")
_SNMP6 = re.compile(r"(?P<counter>\w+)\s+(?P<value>[0-9]{1,20})\s*")
# Of snmp what counts packets; Forwarding and the like are settings.
_SETTINGS = ("IpForwarding", "IpDefaultTTL", "TcpRtoAlgorithm", "TcpRtoMin", "TcpRtoMax")
_OF_SOFTNET = ("processed", "dropped", "time_squeeze")
_PROTOCOLS = ("Ip", "Udp", "Tcp")
_PLACES = ("", ".", "..", "proc", "net", "self", "before", "after")  # that name no namespace
_EXPECTED = "/proc/net/softnet_stat, snmp, snmp6 or dev"
_MOST = 1 << 63
Counter = tuple[str, str, int]  # device, counter, value


class _File(Struct, frozen=True):
    path: str
    line: int  # of its first one
    lines: list[str]


def net(text: str, source: str) -> dict[AttachedTable, pl.DataFrame]:
    """The counters of every file in the text."""
    rows = [
        (_moment(file.path), _netns(file.path), name, *counter)
        for file in _files(text)
        for name, counters in [_read(file, source)]
        for counter in counters
    ]
    schema = {
        "moment": pl.String, "netns": pl.String, "file": pl.String, "device": pl.String,
        "counter": pl.String, "value": pl.Int64,
    }  # fmt: skip
    if large := next((row[:5] for row in rows if row[5] >= _MOST), None):
        raise PerfduckError.at(
            source, expected="counters of 63 bits", got=" ".join(filter(None, large))
        )
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    if frame.is_empty() or frame.select(list(schema)[:-1]).is_duplicated().any():
        got = "none" if frame.is_empty() else "a counter twice"
        raise PerfduckError.at(source, expected=f"{_EXPECTED}, each once", got=got)
    return {"net_counter": frame}


def _files(text: str) -> Iterator[_File]:
    file = _File("", 1, [])
    for number, line in enumerate(text.splitlines(), 1):
        if head := _HEAD.fullmatch(line):
            yield from [file] if any(file.lines) else []
            file = _File(head["path"], number + 1, [])
        else:
            file.lines.append(line)
    yield from [file] if any(file.lines) else []


def _moment(path: str) -> str:
    return "before" if "before" in path.split("/")[:-1] else "after"


def _netns(path: str) -> str:
    """The last directory that is not one of every such file."""
    return next((part for part in reversed(path.split("/")[:-1]) if part not in _PLACES), "")


def _read(file: _File, source: str) -> tuple[str, list[Counter]]:
    """Which file it is, and its counters."""
    first = next(line for line in file.lines if line)
    if _SOFTNET.match(first):
        return "softnet_stat", _softnet(file, source)
    if first.startswith("Inter-|"):
        devices = device_counters("\n".join(file.lines))
        counters = [(d, name, v) for d, all_ in devices.items() for name, v in all_.items()]
        return "dev", [each for each in counters if each[1] in ("rx_packets", "tx_packets")]
    if first.startswith("Ip: "):
        return "snmp", list(_snmp(file, source))
    if first.startswith("Ip6InReceives"):
        matches = (_SNMP6.fullmatch(line) for line in file.lines)
        return "snmp6", [("", m["counter"], int(m["value"])) for m in matches if m]
    where = f"{source}:{file.line}"
    raise PerfduckError.at(where=where, expected=_EXPECTED, got=f"{first[:60]!r}")


def _softnet(file: _File, source: str) -> list[Counter]:
    """Of all CPUs together."""
    sums = dict.fromkeys(_OF_SOFTNET, 0)
    for number, line in enumerate(file.lines, file.line):
        if line and not _SOFTNET.match(line):
            where, what = f"{source}:{number}", "hexadecimal numbers of softnet_stat"
            raise PerfduckError.at(where=where, expected=what, got=f"{line[:60]!r}")
        for name, value in zip(_OF_SOFTNET, line.split(), strict=False):
            sums[name] += int(value, 16)
    return [("", name, value) for name, value in sums.items()]


def _snmp(file: _File, source: str) -> Iterator[Counter]:
    """A line of names and a line of values for each protocol."""
    names: dict[str, list[str]] = {}
    for number, line in enumerate(file.lines, file.line):
        match = _SNMP.fullmatch(line)
        if line and not match:
            where, what = f"{source}:{number}", "a line of snmp, as in Ip: 1 64 812950"
            raise PerfduckError.at(where=where, expected=what, got=f"{line[:60]!r}")
        if not match or match["protocol"] not in _PROTOCOLS:
            continue
        protocol, cells = match["protocol"], match["cells"].split()
        if protocol not in names:
            names[protocol] = cells
            continue
        for name, cell in zip(names[protocol], cells, strict=False):
            counter = f"{protocol}{name}"
            if re.fullmatch(r"[0-9]{1,20}", cell) and counter not in _SETTINGS:
                yield "", counter, int(cell)
