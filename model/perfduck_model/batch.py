"""What an importer hands to the store: columns, a bounded number of rows at a time.

Every frame holds exactly the columns of its schema below, in that order. Symbols and stacks may be
repeated from batch to batch and from profile to profile: their ids are their content, the store
keeps one of each. Beside them, facts, and limitations: what a recording holds that could not be
read, or what its names lack, which is said with every answer.

    code           samples  text
    dwarf-callers    7,944  user callers were recorded as DWARF stacks and are not unwound
    no-names                48 % of the weight has no name: give --kallsyms or --symbols

    7,944 of 71,200 samples: user callers were recorded as DWARF stacks and are not unwound
"""

from collections.abc import Mapping
from datetime import datetime

import polars as pl
from msgspec import Struct, field

# Codes of limitations that are of the work which a user gives, not of the recording.
WORK_TIME, WORK_LOST = "work-time", "work-lost"


class Limitation(Struct, frozen=True):
    """`text` in words, without the number of `samples` that it concerns: None where that is not
    counted."""

    text: str
    samples: int | None = None

    def words(self, total: int) -> str:
        """The text behind its number, of the `total` of samples."""
        return said(self.text, self.samples, total)


Schema = dict[str, pl.DataType | type[pl.DataType]]

SAMPLE: Schema = {
    "stack_id": pl.Int64,
    "event": pl.String,
    "comm": pl.String,
    "pid": pl.Int32,
    "tid": pl.Int32,
    "cpu": pl.Int32,
    "cgroup": pl.String,
    "netns": pl.Int64,
    "time_ns": pl.Int64,
    "count": pl.Int64,  # hits that this row counts
    "period": pl.Int64,  # events they stand for; null where not recorded
}
SYMBOL: Schema = {
    "symbol_id": pl.Int64,
    "name": pl.String,
    "dso": pl.String,
    "address": pl.Int64,  # only where the name is [unknown] and the dso is a file or the kernel
}
STACK: Schema = {"stack_id": pl.Int64, "symbol_ids": pl.List(pl.Int64)}  # leaf first
STACKS_AT_ONCE = 60_000  # some 20 frames each: 10 MB a column of frames
LEAF_OFFSET: Schema = {
    "event": pl.String,
    "symbol_id": pl.Int64,
    "offset": pl.Int64,
    "count": pl.Int64,
    "weight": pl.Float64,
}
EDGE: Schema = {
    "event": pl.String,
    "caller_id": pl.Int64,
    "callee_id": pl.Int64,
    "count": pl.Int64,
    "period": pl.Int64,
}
SKIPPED: Schema = {"line": pl.Int64, "text": pl.String, "reason": pl.String}


class Event(Struct, frozen=True):
    """What was sampled. `unit` is that of the period: ns, cycles, ... or sample without periods."""

    unit: str
    frequency: float | None = None


class Facts(Struct, frozen=True):
    """What a recording says of itself; None where it does not say."""

    host: str | None = None
    kernel_release: str | None = None
    arch: str | None = None
    cpus: int | None = None
    command: str | None = None
    tool: str | None = None
    started_at: datetime | None = None
    duration_s: float | None = None
    lost: int = 0
    raw_samples: int | None = None  # more than there are here: a report under a threshold
    inlined_samples: int | None = (
        None  # with functions that were inlined as frames; None: not known
    )
    has_given_files: bool | None = None  # whether --symbols has a file of one of its binaries
    layout: str | None = None  # what was read of each sample, where the format leaves it open
    build_ids: dict[str, str] = field(default_factory=dict)  # hexadecimal, by dso
    labels: dict[str, str] = field(default_factory=dict)  # those that the user gives come first
    events: dict[str, Event] = field(default_factory=dict)
    limitations: dict[str, Limitation] = field(default_factory=dict)  # by code


def _empty(schema: Schema) -> pl.DataFrame:
    return pl.DataFrame(schema=schema)


class Batch(Struct, frozen=True):
    """A part of a profile. Facts of several batches add up: the last value that is not None wins,
    `lost`, `inlined_samples` and the samples of limitations are summed."""

    samples: pl.DataFrame = field(default_factory=lambda: _empty(SAMPLE))
    symbols: pl.DataFrame = field(default_factory=lambda: _empty(SYMBOL))
    stacks: pl.DataFrame = field(default_factory=lambda: _empty(STACK))
    leaf_offsets: pl.DataFrame = field(default_factory=lambda: _empty(LEAF_OFFSET))
    edges: pl.DataFrame = field(default_factory=lambda: _empty(EDGE))
    skipped: pl.DataFrame = field(default_factory=lambda: _empty(SKIPPED))
    facts: Facts = field(default_factory=Facts)


def said(text: str, samples: int | None, total: int) -> str:
    """A limitation in words."""
    return text if samples is None else f"{samples:,} of {total:,} samples: {text}"


def merged(old: Mapping[str, Limitation], new: Mapping[str, Limitation]) -> dict[str, Limitation]:
    """Limitations by code, of two batches of a recording: their samples add up."""
    both = {code: _sum(old[code], new[code]) for code in old.keys() & new.keys()}
    return {**old, **new, **both}


def _sum(old: Limitation, new: Limitation) -> Limitation:
    counts = [each.samples for each in (old, new) if each.samples is not None]
    return Limitation(new.text, sum(counts) if counts else None)
