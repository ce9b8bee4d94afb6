"""What `perf script` says of a recording, read as simply as can be, and what we say of it.

perf script --no-inline --ns -F comm,pid,tid,cpu,time,period,event,ip,sym,symoff,dso
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import polars as pl

from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.perf_data import importer as perf_data
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch

Frame = tuple[str, str]  # name, dso
Row = tuple[str, int, int, int | None, int | None, int | None, str, tuple[Frame, ...]]

_EVENT = re.compile(
    r"^\s*(?P<comm>.*?)\s+(?P<pid>-?\d+)/(?P<tid>-?\d+)\s+(?:\[(?P<cpu>\d+)\]\s+)?"
    r"(?:(?P<s>\d+)\.(?P<ns>\d{9}):\s+)?(?:(?P<period>\d+)\s+)?(?P<event>\S+):\s*(?P<rest>.*)$"
)
_FRAME = re.compile(
    r"^\s*[0-9a-f]+ (?P<name>.*?)(?:\+0x[0-9a-f]+)? \((?P<dso>[^()]*(?:\(deleted\))?)\)$"
)


def said_by_perf(lines: Iterable[str]) -> Iterator[Row]:
    """The samples of perf script's text."""
    head: re.Match[str] | None = None
    frames: list[Frame] = []
    for line in chain(lines, [""]):
        line = line.rstrip("\n")
        event = None if line.startswith("\t") else _EVENT.match(line)
        frame = None if event else _frame(line)
        if event or not line:
            if head:
                yield _row(head, frames)
            head, frames = event, []
            only = _frame(event["rest"]) if event else None
            frames += [only] if only else []
        elif frame:
            frames.append(frame)
        else:
            message = f"not understood: {line!r}"
            raise AssertionError(message)


@cache
def _frame(line: str) -> Frame | None:
    found = _FRAME.match(line)
    return (found["name"], found["dso"]) if found else None


def _row(head: re.Match[str], frames: list[Frame]) -> Row:
    cpu, period = head["cpu"], head["period"]
    return (
        head["comm"],
        int(head["pid"]),
        int(head["tid"]),
        int(cpu) if cpu else None,
        int(head["s"]) * 1_000_000_000 + int(head["ns"]) if head["s"] else None,
        int(period) if period else None,
        head["event"],
        tuple(frames) or (("[unknown]", "[unknown]"),),
    )


def said_by_us(batches: Iterable[Batch]) -> Iterator[Row]:
    """The samples of batches, with names for ids."""
    symbols: dict[int, Frame] = {}
    stacks: dict[int, tuple[Frame, ...]] = {}
    for batch in batches:
        symbols |= {row[0]: row[1:3] for row in batch.symbols.iter_rows()}
        for stack, ids in batch.stacks.iter_rows():
            stacks[stack] = tuple(symbols[one] for one in ids)
        columns = ("comm", "pid", "tid", "cpu", "time_ns", "period", "event", "stack_id")
        for *fields, stack in batch.samples.select(columns).iter_rows():
            yield (*fields, stacks[stack])  # type: ignore[misc]


def batches_of(path: Path | str, **options: object) -> list[Batch]:
    """The recording as the importer reads it."""
    with Source(str(path)) as source:
        assert perf_data.open(source)
        return list(perf_data.open(source).batches(ImportOptions(**options)))  # type: ignore[arg-type]


def differences(perf: Iterable[Row], ours: Iterable[Row]) -> tuple[Counter[Row], Counter[Row]]:
    """Samples that only perf has, and samples that only we have."""
    one, other = Counter(perf), Counter(ours)
    return one - other, other - one


def frame_of(batches: Iterable[Batch]) -> pl.DataFrame:
    """All samples."""
    return pl.concat([batch.samples for batch in batches])
