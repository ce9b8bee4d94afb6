"""netperf, super_netperf and neper: rates, the time they hold for, and counts.

    MIGRATED TCP REQUEST/RESPONSE TEST from 0.0.0.0 (0.0.0.0) port 0 AF_INET to 10.0.2.15 () ...
    Local /Remote
    Socket Size   Request  Resp.   Elapsed  Trans.
    Send   Recv   Size     Size    Time     Rate
    bytes  Bytes  bytes    bytes   secs.    per sec

    16384  131072 1        1       10.00    6537.30             the columns of this line
    16384  131072

The last line of the heading says what each column is: `secs` or `secs.` the time, behind it `per
sec` transactions, `#` messages sent, `10^6bits/sec` or `MBytes/sec` what arrived. With the option
-k of a test there are lines KEY=VALUE, with -o a line of names and one of values: THROUGHPUT,
THROUGHPUT_UNITS and ELAPSED_TIME are needed. Several results are added up.

neper prints KEY=VALUE: num_transactions of tcp_rr, tcp_crr, udp_rr; throughput_Mbps, or throughput
and throughput_units, of streams, between time_start and time_end (its README, "Output format").

super_netperf (Eric Dumazet's script) prints the sum of the rates and nothing else: what it is a
rate of and for how long only its command line says.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from perfduck_ingest.load_reports.amount import SeveralReports, Work, of

_MARKS = (" TEST ", "THROUGHPUT=", "Throughput Units")
_UNITS = re.compile(r"\s*bytes\s+.*\bsecs?\b.*", re.IGNORECASE)
_NUMBERS = re.compile(r"\s*\d+\.?\d*(?:\s+-?\d+\.?\d*)+\s*")
_KEY_VALUE = re.compile(r"(?:\d+ )?(?P<key>[A-Za-z_0-9]+)=(?P<value>\S+)")
_BITS = re.compile(r"(?:10\^(?P<power>[369]))?bits(?:/s(?:ec)?)?", re.IGNORECASE)
_BYTES = re.compile(r"(?P<scale>[KMG]?)Bytes(?:/s(?:ec)?)?")
_PREFIX = {"": 1.0, "K": 2.0**10, "M": 2.0**20, "G": 2.0**30}
_NEPER_BITS = {"bit/s": 1.0, "Kbit/s": 1e3, "Mbit/s": 1e6, "Gbit/s": 1e9}
_LENGTH_S = 10.0  # of netperf without -l
_LONGEST_LINE = 512


def netperf(text: str) -> Work | None:
    """The sum of the results of netperf in a text; None where they are of different units."""
    if not any(mark in text for mark in _MARKS):  # of which a long report in JSON has none
        return None
    lines = [line for line in text.splitlines() if len(line) <= _LONGEST_LINE]
    results = [*_tables(lines), *_key_values(lines), *_comma_separated(lines)]
    units = {result.unit for result in results}
    if len(units) != 1:
        return None
    seconds = results[0].seconds if len(results) == 1 else None
    return of(sum(each.amount for each in results), units.pop() or "", seconds)


def _tables(lines: Sequence[str]) -> Iterator[Work]:
    for number, line in enumerate(lines):
        if _UNITS.fullmatch(line):
            row = next((each for each in lines[number + 1 : number + 3] if each.strip()), "")
            if _NUMBERS.fullmatch(row):
                yield from _row(line.split(), row.split())


def _row(units: Sequence[str], values: Sequence[str]) -> Iterator[Work]:
    seconds_at = (i for i, unit in enumerate(units) if unit.lower().rstrip(".") in ("sec", "secs"))
    at = next(seconds_at, len(units))
    if len(values) <= at + 1 or len(units) <= at + 1:
        return
    seconds, value, unit = float(values[at]), float(values[at + 1]), units[at + 1]
    if unit == "#":
        yield from _works(value, "message", seconds)
    else:
        yield from _of_rate(value, "Trans/s" if unit == "per" else unit, seconds)


def _key_values(lines: Iterable[str]) -> Iterator[Work]:
    """A result for each THROUGHPUT. Lines of several netperfs that ran at once are mixed, and their
    lines may be numbered: the n-th of each key belongs to the n-th of the others."""
    keys = ("THROUGHPUT", "THROUGHPUT_UNITS", "ELAPSED_TIME")
    texts: dict[str, list[str]] = {key: [] for key in keys}
    for line in lines:
        match = _KEY_VALUE.fullmatch(line.strip())
        if match and match["key"] in texts:
            texts[match["key"]].append(match["value"])
    if len({len(values) for values in texts.values()}) == 1:
        for rate, unit, seconds in zip(*texts.values(), strict=True):
            with suppress(ValueError):
                yield from _of_rate(float(rate), unit, float(seconds))


def _comma_separated(lines: Sequence[str]) -> Iterator[Work]:
    for number, line in enumerate(lines[:-1]):
        names = [name.strip().lower() for name in line.split(",")]
        if "throughput" in names and "throughput units" in names:
            row = dict(zip(names, next(csv.reader([lines[number + 1]]), []), strict=False))
            with suppress(ValueError, KeyError):
                seconds = float(row["elapsed time (sec)"])
                yield from _of_rate(float(row["throughput"]), row["throughput units"], seconds)


def _of_rate(rate: float, unit: str, seconds: float) -> Iterator[Work]:
    if unit in ("Trans/s", "Tran/s"):
        yield from _works(rate * seconds, "transaction", seconds)
    elif match := _BITS.fullmatch(unit):
        yield from _works(rate * 10 ** int(match["power"] or 0) / 8 * seconds, "byte", seconds)
    elif match := _BYTES.fullmatch(unit):
        yield from _works(rate * _PREFIX[match["scale"]] * seconds, "byte", seconds)


def _works(amount: float, unit: str, seconds: float) -> Iterator[Work]:
    work = of(amount, unit, seconds)
    if work is not None:
        yield work


def neper(text: str) -> Work | None:
    """Transactions, or bytes of a stream. SeveralReports for more than one report."""
    if "num_transactions=" not in text:
        return None
    if (count := text.count("num_transactions=")) > 1:
        several = f"{count} reports of neper"
        raise SeveralReports(several)
    values = {
        match["key"]: match["value"]
        for line in text.splitlines()
        if len(line) <= _LONGEST_LINE and (match := _KEY_VALUE.fullmatch(line.strip()))
    }
    with suppress(ValueError, KeyError):
        megabits = values.get("throughput_Mbps")
        if megabits is None and "throughput_units" not in values:
            return of(float(values["num_transactions"]), "transaction")
        bits = (
            float(megabits) * 1e6
            if megabits is not None
            else float(values["throughput"]) * _NEPER_BITS[values["throughput_units"]]
        )
        return of(bits / 8 * (float(values["time_end"]) - float(values["time_start"])), "byte")
    return None


def super_netperf(command: Sequence[str], text: str) -> Work | None:
    """The work of `super_netperf N -t TEST -l SECONDS ...`: what it prints is a rate."""
    words = [word for part in command for word in part.split()]
    if not any(word.endswith("super_netperf") for word in words):
        return None
    try:
        rate = float(text.strip())
    except ValueError:
        return None
    test = _option(words, "-t") or "TCP_STREAM"
    unit = "Trans/s" if test.upper().endswith(("RR", "CC")) else "10^6bits/s"
    try:
        seconds = float(_option(words, "-l") or _LENGTH_S)
    except ValueError:
        return None
    return next(_of_rate(rate, unit, seconds), None)


def _option(words: Sequence[str], name: str) -> str | None:
    """The value of an option of one letter: `-l 10` or `-l10`."""
    for number, word in enumerate(words):
        if word == name and words[number + 1 :]:
            return words[number + 1]
        if word.startswith(name) and word != name:
            return word.removeprefix(name)
    return None
