"""The distinct lines of a part of `perf script` text: what each is, and what it says."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from perfduck_ingest import perf_script_grammar as grammar
from perfduck_ingest.chains import Numbers, SymbolRow
from perfduck_ingest.perf_script_grammar import Layout
from perfduck_symbols.names import canonical_dso

BLANK, EVENT, FRAME, CGROUP, LOST, ASIDE, UNKNOWN = range(7)
UNKNOWN_NAME = "[unknown]"
KERNEL = "[kernel.kallsyms]"

# Binaries whose addresses mean the same in every run; others are mapped somewhere else each time.
_FILE = r"^/[^/]"
_NOT_A_FILE = r"^/(?:memfd:|dev/|SYSV|anon_hugepage|tmp/perf-\d+\.map)|\(deleted\)$"
_KERNEL_DSO = r"^\[(?:kernel|guest\.kernel)\b"
_HIGH_HALF = r"^ffff[0-9a-f]{12}$"
# Where perf prints run-time addresses (6.12, and all versions without -g), those of
# position-independent files lie above this, and mean nothing in the next run.
_LOW = 1 << 40
# Events with a data address of their own: -F addr prints it where a first frame could stand.
_ADDRESSED = r"fault|mem|load|store|cache|TLB"
_FRAME = ("code", "ip", "name", "dso", "offset", "lacks_dso", "tail")
_EVENT_FIELDS = ("comm", "pid", "tid", "cpu", "s", "fraction", "period", "event", "rest")


@dataclass(frozen=True, slots=True)
class Lines:
    """What the distinct lines are. Arrays are indexed by the number of a distinct line."""

    texts: pl.Series
    kinds: npt.NDArray[np.uint8]
    symbol_of: Numbers  # number in `symbols`; -1 where the line has no frame
    offsets: Numbers  # of the frame in its function; -1 where not printed
    ips: Numbers  # of the frame, hashed: equal where the addresses are
    lacks_dso: npt.NDArray[np.bool_]  # an inlined frame: its dso is that of its caller
    is_addressed: npt.NDArray[np.bool_]  # an event line whose address is not of an instruction
    has_text: npt.NDArray[np.bool_]  # an event line with argument text
    event_row: Numbers  # row of `events`; -1 where the line is no event line
    events: pl.DataFrame  # comm, pid, tid, cpu, time_ns, period, event, rest, cgroup
    symbols: list[SymbolRow]


def classified(texts: pl.Series, layout: Layout) -> Lines:
    """The kind of each distinct line, and the tables of event lines and frames."""
    table = pl.DataFrame({"code": np.arange(len(texts)), "text": texts})
    is_tabbed = table["text"].str.starts_with("\t")
    plain = _plain_frames(table.filter(is_tabbed), layout)
    events = _events(table.filter(~is_tabbed), layout)
    known = np.zeros(len(texts), bool)
    known[plain["code"]] = known[events["code"]] = True
    others = table.filter(~known).with_columns(_kind_of_other())
    entries = others.filter(kind=FRAME).select(
        "code", pl.col("text").str.extract_groups(grammar.FRAME).struct.unnest()
    )
    odd = _odd_frames(pl.concat([entries, _event_entries(events)]), layout)
    frames = _frames(pl.concat([plain, odd]))
    kinds = _scattered(len(texts), others["code"], others["kind"], FRAME).astype(np.uint8)
    kinds[events["code"]] = EVENT
    return _lines(texts, kinds, events, frames)


def _lines(
    texts: pl.Series, kinds: npt.NDArray[np.uint8], events: pl.DataFrame, frames: pl.DataFrame
) -> Lines:
    """The tables, to be looked up by the number of a line."""
    size, code = len(texts), frames["code"]
    is_addressed = events.filter(pl.col("event").str.contains(_ADDRESSED))["code"]
    has_text = events.filter(pl.col("rest").str.len_bytes() > 0)["code"]
    numbers, symbols = _symbols(frames)
    return Lines(
        texts=texts,
        kinds=kinds,
        symbol_of=_scattered(size, code, numbers, -1),
        offsets=_scattered(size, code, frames["offset"], -1),
        ips=_scattered(size, code, frames["ip"].hash().reinterpret(signed=True), 0),
        lacks_dso=_scattered(size, code, frames["lacks_dso"], 0).astype(bool),
        is_addressed=_scattered(size, is_addressed, 1, 0).astype(bool),
        has_text=_scattered(size, has_text, 1, 0).astype(bool),
        event_row=_scattered(size, events["code"], np.arange(len(events)), -1),
        events=_with_cgroup(events, frames),
        symbols=symbols,
    )


def _symbols(frames: pl.DataFrame) -> tuple[pl.Series, list[SymbolRow]]:
    """The number of each frame's symbol, and the symbols."""
    key = ["name", "dso", "address"]
    rows = frames.select(key).unique(maintain_order=True)
    numbers = frames.join(
        rows.with_row_index("number"), on=key, nulls_equal=True, how="left", maintain_order="left"
    )["number"]
    return numbers, [(name, canonical_dso(dso), address) for name, dso, address in rows.rows()]


def _scattered(
    size: int, places: pl.Series, values: pl.Series | Numbers | int, default: int
) -> Numbers:
    array = np.full(size, default, np.int64)
    array[places.to_numpy()] = values
    return array


def _events(lines: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """code and the fields of the lines that start a sample."""
    if not layout.has_event_lines:
        lines = lines.clear()
    is_record = pl.col("text").str.contains("PERF_RECORD_", literal=True)
    groups = lines.filter(~is_record).select(
        "code", pl.col("text").str.extract_groups(layout.pattern).struct.unnest()
    )
    missing = [pl.lit(None, pl.String).alias(f) for f in _EVENT_FIELDS if f not in groups.columns]
    fields = groups.with_columns(missing)
    return fields.filter(pl.col(layout.surest_field).is_not_null()).select(
        "code",
        pl.col("comm").str.strip_chars(),
        pl.col("pid", "tid", "cpu").cast(pl.Int32, strict=False),
        (pl.col("s").cast(pl.Int64, strict=False) * 1_000_000_000 + _nanoseconds()).alias(
            "time_ns"
        ),
        pl.col("period").cast(pl.Int64, strict=False),
        "event",
        pl.col("rest").str.strip_chars_end(),
    )


def _nanoseconds() -> pl.Expr:
    return pl.col("fraction").str.pad_end(9, "0").cast(pl.Int64)


def _kind_of_other() -> pl.Expr:
    """The kind of a line that starts no sample."""
    text = pl.col("text")
    return (
        pl.when(text.str.contains(grammar.BLANK))
        .then(BLANK)
        .when(text.str.contains(grammar.LOST))
        .then(LOST)
        .when(text.str.contains(grammar.ASIDE) | text.str.contains(grammar.COMMENT))
        .then(ASIDE)
        .when(text.str.contains(grammar.FRAME))
        .then(FRAME)
        .when(text.str.contains(grammar.CGROUP))
        .then(CGROUP)
        .otherwise(UNKNOWN)
        .alias("kind")
    )


def _event_entries(events: pl.DataFrame) -> pl.DataFrame:
    """The frames that stand on event lines: code, ip, body."""
    rest = pl.col("rest")
    found = events.filter(rest.str.len_bytes() > 0).select(
        "code",
        rest.str.extract_groups(grammar.LAST_FRAME).alias("last"),
        rest.str.extract_groups(grammar.ONLY_FRAME).alias("only"),
    )
    last, only = pl.col("last").struct, pl.col("only").struct
    return found.select(
        "code",
        pl.coalesce(last.field("ip"), only.field("ip"), only.field("bare")).alias("ip"),
        pl.coalesce(last.field("body"), only.field("body")).alias("body"),
    ).filter(pl.col("ip").is_not_null())


def _plain_frames(lines: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The columns of _FRAME for the lines that are as plain as nearly all of them."""
    groups = lines.select("code", pl.col("text").str.extract_groups(grammar.PLAIN_FRAME))
    found = groups.unnest("text").filter(pl.lit(layout.dso) & pl.col("ip").is_not_null())
    return found.with_columns(lacks_dso=pl.lit(value=False), tail=pl.lit(None, pl.String)).select(
        _FRAME
    )


def _odd_frames(entries: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The columns of _FRAME for the rows of [code, ip, body]."""
    body = pl.col("body")
    with_dso = body if layout.dso else pl.lit(None, pl.String)
    parsed = entries.with_columns(
        with_dso.str.extract_groups(grammar.BODY_WITH_DSO).alias("long"),
        body.str.extract_groups(grammar.BODY).alias("short"),
    )
    long, short = pl.col("long").struct, pl.col("short").struct
    dso = long.field("dso")
    has_dso = dso.is_not_null() & (dso != "inlined")
    guess = pl.when(pl.col("ip").str.contains(_HIGH_HALF)).then(pl.lit(KERNEL))
    return parsed.with_columns(
        name=pl.when(dso.is_not_null()).then(long.field("name")).otherwise(short.field("name")),
        dso=pl.when(has_dso).then(dso).otherwise(guess),
        offset=pl.when(dso.is_not_null())
        .then(long.field("offset"))
        .otherwise(short.field("offset")),
        lacks_dso=(pl.lit(layout.dso) & ~has_dso).fill_null(value=layout.dso),
        tail=long.field("tail"),
    ).select(_FRAME)


def _frames(found: pl.DataFrame) -> pl.DataFrame:
    """The columns of _FRAME with numbers for offsets and words for what is not known, and the
    address of frames without a name."""
    offset = pl.col("offset").str.to_integer(base=16, strict=False)
    named = found.with_columns(
        pl.col("name").replace("", None).fill_null(UNKNOWN_NAME),
        pl.col("dso").fill_null(UNKNOWN_NAME),
        offset.fill_null(-1),
    )
    return named.with_columns(_addresses(named))


def _addresses(frames: pl.DataFrame) -> pl.Series:
    """Where in the dso a frame without a name lies, if that means anything in another run."""
    dso, unknown = pl.col("dso"), pl.col("name") == UNKNOWN_NAME
    kernel = dso.str.contains(_KERNEL_DSO)
    file = dso.str.contains(_FILE) & ~dso.str.contains(_NOT_A_FILE)
    wanted = frames.with_row_index().filter(unknown).filter(kernel | file)
    addresses: list[int | None] = [None] * len(frames)
    for index, ip, is_kernel in wanted.select("index", "ip", kernel.alias("kernel")).rows():
        addresses[index] = _address(int(ip, 16), is_kernel=is_kernel)
    return pl.Series("address", addresses, dtype=pl.Int64)


def _address(ip: int, *, is_kernel: bool) -> int | None:
    if is_kernel:
        return ip - (1 << 64) if ip >> 63 else ip
    return ip if ip < _LOW else None


def _with_cgroup(events: pl.DataFrame, frames: pl.DataFrame) -> pl.DataFrame:
    """perf 6.12 prints the cgroup before the frame on the event line, older ones behind it."""
    tails = frames.select("code", "tail")
    first = pl.col("rest").str.extract(grammar.FIRST_CGROUP)
    joined = events.join(tails, on="code", how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce(first, "tail").alias("cgroup")).drop("tail")
