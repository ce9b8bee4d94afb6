"""What changed where a series did: what recordings say of the machine, their labels, and the files
kept with them. The environment is the first suspect: a kernel of a CI runner costs 37 % more, and
no commit says so."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from perfduck_diff.engine.run_matrix import Run
from perfduck_diff.like_runs import RUN_LABEL
from perfduck_diff.trend_points import COMMIT, COMMIT_TIME, PointKey
from perfduck_diff.trend_result import ChangedFact
from perfduck_store.protocol import Store

_COUNTERS = ("conntrack", "netdev")  # kinds that are different in any two recordings
# What is different in any two files: counters of iptables-save -c and nft, and of `ip link` the
# numbers and the addresses of devices.
_VOLATILE = re.compile(
    r"\[\d+:\d+\]|\bcounter packets \d+ bytes \d+|^\d+: |@if\d+|\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b"
)
_SHOWN = 2  # lines of a file


def changed_facts(
    store: Store, points: Sequence[PointKey], runs: Sequence[Sequence[Run]], over: str
) -> Iterator[ChangedFact]:
    """What neighbours of these points, with the runs of each, say differently."""
    files = [_files(store, point) for point in points]
    facts = [_said(each, over) for each in runs]
    for number in range(1, len(points)):
        at, before, after = points[number].value, facts[number - 1], facts[number]
        for what in sorted(before.keys() | after.keys()):
            old, new = before.get(what, "none"), after.get(what, "none")
            if old != new:
                yield ChangedFact(what=what, before=old, after=new, at=at)
        yield from _changed_files(files[number - 1], files[number], at)


def _said(runs: Sequence[Run], over: str) -> dict[str, str]:
    said: dict[str, set[str]] = {}
    for run in runs:
        facts = {
            "kernel_release": run.kernel_release,
            # of a recording without a header, those that samples were seen on
            "cpus": run.cpus if run.arch else None,
            "arch": run.arch,
            "host": run.host,
            "frequency": run.frequency,
        }
        labels = {
            f"label {key}": value
            for key, value in run.labels.items()
            if key not in (over, COMMIT, COMMIT_TIME, RUN_LABEL)
        }
        for what, value in (facts | labels).items():
            if value is not None:
                said.setdefault(what, set()).add(
                    f"{value:g}" if isinstance(value, float) else str(value)
                )
    return {what: ", ".join(sorted(values)) for what, values in said.items()}


def _files(store: Store, point: PointKey) -> dict[str, str]:
    """The files of the first of a point's profiles: its runs share the machine's state."""
    first = min(point.profiles, key=lambda key: point.profiles[key])
    return {each.kind: each.text for each in store.attachments.of(first)}


def _changed_files(
    before: Mapping[str, str], after: Mapping[str, str], at: str
) -> Iterator[ChangedFact]:
    for kind in sorted((before.keys() | after.keys()) - {*_COUNTERS}):
        if kind not in before or kind not in after:
            there = ["attached" if kind in files else "not attached" for files in (before, after)]
            yield ChangedFact(what=kind, before=there[0], after=there[1], at=at)
            continue
        old, new = _lines(kind, before[kind]), _lines(kind, after[kind])
        if words := [*_words("more", new - old), *_words("less", old - new)]:
            yield ChangedFact(what=kind, before="", after="; ".join(words), at=at)


def _lines(kind: str, text: str) -> Counter[str]:
    """Its lines without comments and what is volatile; of programs of eBPF types and names, as
    numbers and times are those of one boot."""
    if kind == "bpf":
        return Counter(f"{each['type']} {each.get('name', '')}" for each in json.loads(text))
    lines = (_VOLATILE.sub("", line).strip() for line in text.splitlines())
    return Counter(line for line in lines if line and not line.startswith("#"))


def _words(how: str, lines: Counter[str]) -> list[str]:
    """How many lines, and the first of them."""
    number = lines.total()
    if not number:
        return []
    shown = ", ".join(list(lines)[:_SHOWN])
    more = ", ..." if len(lines) > _SHOWN else ""
    return [f"{number:,} {'line' if number == 1 else 'lines'} {how} ({shown}{more})"]
