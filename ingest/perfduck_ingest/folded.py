r"""Folded stacks: what stackcollapse-*.pl, `profile -f` and `offcputime -f` of bcc, async-profiler,
py-spy and `perfduck export` write, a stack from the root to the leaf and its weight in a line.

    iperf3;[libc.so.6];entry_SYSCALL_64_after_hwframe;udp_sendmsg 1001001
    iperf3-10400/10401;main;tcp_sendmsg_[k] 12     _[k] kernel, _[j] JIT-compiled, _[i] inlined
    nginx;main;-;tcp_sendmsg 12                    - or -- before the kernel's part
    nginx;[libc.so.6] 5                            code of a binary, without a name; of a name that
                                                   is in brackets, perfduck export escapes the first

Such a line says neither when, nor on which CPU, nor in which binary, nor what the weight counts:
samples, unless the user says another event. The first frame is a command where it may be one in all
lines. Without _[k] the kernel's part begins with a function at which the kernel is entered.
"""

import re
from collections.abc import Iterator
from functools import partial

import numpy as np
import polars as pl

from perfduck_ingest.folded_lines import NO_COMM, WITH_PID, Evidence, FoldedLines, unescaped
from perfduck_ingest.function_chains import UNKNOWN, FunctionChains, sample_rows
from perfduck_ingest.importer import ImportOptions, Recording, WeightEvent
from perfduck_ingest.source import Source
from perfduck_model.arrays import Int64
from perfduck_model.batch import Batch, Event, Facts, Limitation
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits
from perfduck_tags.entries import INTERRUPTS, SYSTEM_CALLS

NAME = "folded"

_KERNEL, _JIT = "[kernel.kallsyms]", "[jit]"
_LINES = 2000  # of the head, to see what it is
_MOST_OTHERS = 0.05  # of them, so that the refusal of such a file has the line
_MOST_SKIPPED = 0.01  # of all lines
_IS_STACK = re.compile(r"[^\s;][^;\t]*(?:;[^\s;][^;\t]*)* \d+(?:\.\d+)?").fullmatch
_IS_OTHER = re.compile(  # a line of a log, of a script
    r"\[?(?:\d{4}-\d\d-\d\d[T ]|\d\d:\d\d:\d\d|[A-Z][a-z]{2} +\d+ \d\d:)"
    r"|(?:cd|echo|export|for|if|printf|set|source|until|while) "
).match
_TABLES = {".csv", ".tsv"}  # `;` is between columns where a comma is in decimals
_TWO_WEIGHTS = re.compile(r".*;.* \d+(?:\.\d+)? \d+(?:\.\d+)?").fullmatch
_ENTRY = rf"^(?:{SYSTEM_CALLS}|{INTERRUPTS}|ret_from_fork\w*|kthread|secondary_startup_64\w*" + (
    r"|common_startup_64|start_secondary|(?:asm_)?exc_page_fault|page_fault|el0t?_64_\w+)$"
)
_BINARY = r"^\[.+\]$"
_SAID = "folded stacks say no times, CPUs and binaries"
_COMMS = "the first frame of each is taken as the command"
_NO_COMMS = "their first frame is no command"
_ENTRIES = "functions below an entry of the kernel are taken as its own"


def open(source: Source) -> Recording | None:
    """The text, if the lines of its head are stacks and weights."""
    lines = _head_lines(source)
    if source.is_directory or not lines or b"\0" in source.head:
        return None
    if source.head.startswith(b"#!") or source.path.suffix.lower() in _TABLES:
        return None
    if 2 * sum(map(bool, map(_IS_OTHER, lines))) > len(lines):
        return None
    several = sum(";" in line for line in lines)
    others = len(lines) - sum(map(bool, map(_IS_STACK, lines)))  # warnings of a tool among them
    if others > _MOST_OTHERS * len(lines) or 2 * several < len(lines):
        return None
    if 2 * sum(map(bool, map(_TWO_WEIGHTS, lines))) > len(lines):
        return None
    return Recording(NAME, partial(_read, source), takes_event=True)


def _head_lines(source: Source) -> list[str]:
    lines = source.head.decode("utf-8", "backslashreplace").split("\n")
    whole = lines if len(source.head) < limits.head_bytes else lines[:-1]
    kept = (line.rstrip("\r") for line in whole[:_LINES] if len(line) <= limits.longest_matched)
    return [line for line in kept if line.strip() and not line.startswith("#")]


def _read(source: Source, options: ImportOptions) -> Iterator[Batch]:
    """The stacks, part by part, when all lines have been seen."""
    with FoldedLines(source.name) as lines:
        skipped = 0
        for part in source.parts(limits.folded_part_bytes, partial(_last_start, source)):
            if (rows := lines.add(bytes(part))).height:
                skipped += rows.height
                yield Batch(skipped=rows)
        if skipped > _MOST_SKIPPED * lines.lines and not options.lenient:
            message = (
                f"{source.name}:{lines.lines}: expected folded stacks, but {skipped} of"
                f" {lines.lines} lines could not be parsed (--lenient keeps the rest)"
            )
            raise PerfduckError(message)
        reader = _Reader(lines.evidence, options.event)
        yield from (reader.batch(rows) for rows in lines.rows() if rows.height)
        yield Batch(facts=reader.facts(lines.limitations()))


def _last_start(source: Source, part: memoryview) -> int:
    """Where the last line starts, which may go on in the next part."""
    end = bytes(part[-limits.longest_line :]).rfind(b"\n")
    if end < 0 and len(part) > limits.longest_line:
        most = f"lines of at most {limits.longest_line >> 20} MB"
        raise PerfduckError.at(source.name, expected=most, got="a longer one")
    return max(len(part) - limits.longest_line, 0) + end + 1


class _Reader:
    def __init__(self, evidence: Evidence, event: WeightEvent | None) -> None:
        self._evidence = evidence
        self._event = event
        self._chains = FunctionChains()

    def facts(self, limitations: dict[str, Limitation]) -> Facts:
        """What is known of the recording, and what is not."""
        said = [_SAID, _COMMS if self._evidence.has_comm else _NO_COMMS]
        said += [] if self._evidence.is_marked else [_ENTRIES]
        if self._event:
            said.append("each line counts as one sample")
        limitations = {"folded": Limitation("; ".join(said)), **limitations}
        event = self._event or WeightEvent("samples", "sample")
        events = {event.name: Event(event.unit)}
        return Facts(events=events, limitations=limitations, layout=self._layout())

    def _layout(self) -> str:
        """What each line was read as: any text may end in a number."""
        first = "comm-pid/tid;" if self._evidence.has_pid else "comm;"
        return f"folded stacks, {first * self._evidence.has_comm}root;...;leaf weight"

    def batch(self, rows: pl.DataFrame) -> Batch:
        """Rows of stack, weight and number of lines."""
        rows, frames = self._commands(rows)
        functions, codes, lengths = _root_first(frames, self._evidence)
        ids = self._chains.ids(functions)
        chains = self._chains.chains(ids, codes[::-1], lengths[::-1])
        event = self._event or WeightEvent("samples", "sample")
        has_period = self._event is not None
        known = rows.select(
            "comm",
            "pid",
            "tid",
            pl.Series("stack_id", chains.stack_ids[::-1]),
            pl.lit(event.name).alias("event"),
            pl.col("lines" if has_period else "weight").alias("count"),
            (pl.col("weight") if has_period else pl.lit(None)).alias("period"),
        )
        samples = sample_rows(known)
        return Batch(samples=samples, stacks=chains.stacks, symbols=chains.symbols)

    def _commands(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
        """The rows with comm, pid and tid, and the frames of each from the root to the leaf."""
        frames = rows["stack"].str.split(";")
        none = pl.lit(None, pl.String)
        if not self._evidence.has_comm:
            return rows.with_columns(comm=none, pid=none, tid=none), _never_empty(frames)
        first = frames.list.first()
        comm = self._comm(first).alias("comm")
        rows = rows.with_columns(comm, pid=none, tid=none)
        if self._evidence.has_pid:
            parts = first.str.extract_groups(WITH_PID).struct
            rows = rows.with_columns(
                self._comm(parts.field("1").fill_null(first)).alias("comm"),
                parts.field("2").cast(pl.Int32, strict=False).alias("pid"),
                parts.field("3").cast(pl.Int32, strict=False).alias("tid"),
            )
        return rows, _never_empty(frames.list.slice(1))

    def _comm(self, first: pl.Series) -> pl.Series:
        return unescaped(first.replace(NO_COMM, None), is_escaped=self._evidence.is_escaped)


def _never_empty(frames: pl.Series) -> pl.Series:
    """The frames, with one that is not known where there is none."""
    unknown = pl.lit([UNKNOWN])
    return frames.to_frame("f").select(
        pl.when(pl.col("f").list.len() == 0).then(unknown).otherwise("f")
    ).to_series()  # fmt: skip


def _root_first(frames: pl.Series, evidence: Evidence) -> tuple[pl.DataFrame, Int64, Int64]:
    """The distinct functions [name, dso, address], which of them each frame is, and how many
    frames each stack has."""
    row = np.repeat(np.arange(len(frames)), frames.list.len().to_numpy())
    flat = frames.explode().to_frame("frame")
    kinds = _kinds(flat.unique(), evidence)
    flat = flat.join(kinds, on="frame", how="left", maintain_order="left")
    starts = flat["starts"].to_numpy()
    before = np.cumsum(starts)
    first = np.searchsorted(row, np.arange(len(frames)))
    begun = before - (before[first] - starts[first])[row] > 0
    kept = ~flat["is_delimiter"].to_numpy()
    kept |= np.bincount(row[kept], minlength=len(frames))[row] == 0
    flat = flat.select("code", kernel=pl.col("is_kernel") | pl.Series(begun)).filter(kept)
    distinct = flat.unique(maintain_order=True).with_row_index("number")
    numbers = flat.join(distinct, on=["code", "kernel"], how="left", maintain_order="left")
    functions = distinct.join(kinds, on="code", how="left", maintain_order="left").select(
        "name",
        pl.when(pl.col("kernel") & pl.col("dso").is_null())
        .then(pl.lit(_KERNEL))
        .otherwise(pl.col("dso").fill_null(UNKNOWN))
        .alias("dso"),
        pl.lit(None, pl.Int64).alias("address"),
    )
    lengths = np.bincount(row[kept], minlength=len(frames))
    return functions, numbers["number"].to_numpy().astype(np.int64), lengths.astype(np.int64)


def _kinds(frames: pl.DataFrame, evidence: Evidence) -> pl.DataFrame:
    """What each distinct frame is: [frame, code, name, dso, is_kernel, is_delimiter, starts];
    `starts`: those behind it are the kernel's, itself too if it is a function."""
    suffix = pl.col("frame").str.extract(r"_\[([kji])\]$")
    plain = frames["frame"].str.replace(r"_\[[kji]\]$", "")
    shown = unescaped(plain, is_escaped=evidence.is_escaped).replace("", UNKNOWN)
    name, is_entry = pl.lit(shown), pl.lit(plain.str.contains(_ENTRY))
    is_binary = plain.str.contains(_BINARY)
    bare = pl.when(pl.lit(is_binary)).then(name.str.slice(1, name.str.len_chars() - 2))
    keeps = bare.is_in(["unknown", "kernel.kallsyms", "vdso", "vsyscall"])
    is_delimiter = pl.col("frame").is_in(["-", "--"])
    return frames.with_row_index("code").select(
        "frame",
        "code",
        pl.when(bare.is_null()).then(name).otherwise(pl.lit(UNKNOWN)).alias("name"),
        pl.when(suffix == "j").then(pl.lit(_JIT)).when(keeps).then(name).otherwise(bare)
        .alias("dso"),
        (suffix == "k").fill_null(False).alias("is_kernel"),
        is_delimiter.alias("is_delimiter"),
        (is_delimiter | (pl.lit(not evidence.is_marked) & is_entry)).alias("starts"),
    )  # fmt: skip
