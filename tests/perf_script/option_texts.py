"""What perf prints with an option, read by the importer and by the slow reader."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import slow_reader
from recordings import named_chains, parsed
from slow_reader import Request, Sample

from perfduck_model.errors import PerfduckError


@dataclass(frozen=True)
class Text:
    """What perf printed, and what it was asked for."""

    name: str  # recording and options
    text: str
    fields: list[str]
    optional: list[str]
    events: list[str]
    has_chains: bool

    @property
    def request(self) -> Request:
        return Request(
            frozenset(self.fields), tuple(self.events), self.has_chains, frozenset(self.optional)
        )


def as_row(text: Text) -> dict[str, Any]:
    return asdict(text)


def shortened(text: Text, size: int = 4000) -> Text:
    """The first samples."""
    if len(text.text) <= size:
        return text
    starts = [at for at, _ in slow_reader._starts(text.text.split("\n"), text.request)]
    lines = text.text.split("\n")
    most = next((at for at in reversed(starts) if len("\n".join(lines[:at])) <= size), None)
    return text if not most else replace(text, text="\n".join(lines[:most]) + "\n")


def difference(text: Text) -> str | None:
    """In what the importer differs from the slow reader: 'refused: why', 'wrong: what', or None."""
    expected = slow_reader.read(text.text, text.request)
    try:
        batch = parsed(text.text.encode("utf-8", "surrogateescape"))
    except (PerfduckError, AssertionError) as error:
        return f"refused: {error or 'not recognised'}"
    got = [_sample(row) for row in named_chains(batch).iter_rows(named=True)]
    dsos = dict(batch.symbols.select("symbol_id", "dso").iter_rows())
    chains = {key: [dsos[i] for i in ids] for key, ids in batch.stacks.rows()}
    own_dsos = [chains[key] for key in batch.samples["stack_id"]]
    if len(got) != len(expected):
        return f"wrong: {len(got)} samples for {len(expected)}"
    for at, (one, other) in enumerate(zip(got, expected, strict=True)):
        if reason := _unlike(one, own_dsos[at], other):
            return f"wrong: {reason} (sample {at})"
    if len(batch.skipped):
        return f"wrong: skipped {batch.skipped['text'][0]!r}"
    return None


def _sample(row: dict[str, Any]) -> Sample:
    frames = [(name, None) for name in row["chain"]]
    return Sample(row["comm"], row["pid"], row["tid"], row["cpu"], row["time_ns"], row["period"],
                  row["event"], frames)  # fmt: skip


def _unlike(got: Sample, dsos: list[str], expected: Sample) -> str | None:
    for name in ("comm", "pid", "tid", "cpu", "time_ns", "period"):
        if getattr(got, name) != getattr(expected, name):
            return f"{name} {getattr(got, name)!r} for {getattr(expected, name)!r}"
    if expected.event and got.event != expected.event:
        return f"event {got.event!r} for {expected.event!r}"
    frames = expected.frames or [("[unknown]", "[unknown]")]
    names = [name for name, _ in frames]
    if [name for name, _ in got.frames] != names:
        return f"chain {[name for name, _ in got.frames][:4]} for {names[:4]}"
    for one, (_, other) in zip(dsos, frames, strict=True):
        if (
            other is not None
            and one != other
            and not (other == "[unknown]" and one.startswith("[kernel"))
        ):
            return f"dso {one!r} for {other!r}"
    return None
