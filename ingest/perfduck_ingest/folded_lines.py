"""Lines of folded stacks, parsed and kept on disk until all of them have been seen: whether first
frames are commands, and whether frames of the kernel are marked, any line may show.

Weights with decimals are summed by stack before they are rounded: 0.4 of a thousand lines is 400.
"""

import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from tempfile import TemporaryFile
from typing import IO, Self

import polars as pl
from msgspec import Struct, field

from perfduck_model.batch import SKIPPED, Limitation
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits

NO_COMM = "[none]"  # perfduck export, of a sample without one
WITH_PID = r"^(.+)-([0-9]{1,9}|\?)(?:/([0-9]{1,9}))?$"  # stackcollapse-perf.pl --pid and --tid
_HAS_PID = re.compile(WITH_PID).match
_STACK = r"^(.*\S)[ \t]+([0-9]{1,18}|[0-9]{1,18}\.[0-9]{1,9})\r?$"
_IS_MARKED = r"_\[k\](?:;|$)|;--?;"
_LONGEST_COMM = 15  # TASK_COMM_LEN is 16 with the 0 at its end
_IS_FUNCTION = re.compile(  # that is the root of stacks, or has what no command has
    r"_?main|_start|_*clone3?|start_thread|thread_start|all|root|\[.*\]|runtime\.\w+|<(?:module|main)>.*"
    r"|_*libc_start.*|.*[()].*|.*::.*|.*_\[[kji]\]"
).fullmatch
_ESCAPE = r"\\(?:[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})"
_ESCAPES = re.compile(_ESCAPE)
_SEPARATORS = re.compile(r"\\x(?:3b|5c)")
_SHORT = {r"\n": "\n", r"\r": "\r", r"\t": "\t"}
_ESCAPED = ";\\[]-# "  # that are printable, and mean something else in a folded stack
_EXACT = pl.Decimal(38, 9)


class Evidence(Struct):
    """What all lines together show; the same for any order of them."""

    has_pid: bool = True
    is_marked: bool = False  # _[k], - or -- says which frames are the kernel's
    is_escaped: bool = True  # each backslash is one that perfduck export writes
    _are_comms: bool = True  # the first frames
    _are_comms_with_pids: bool = True

    @property
    def has_comm(self) -> bool:
        """Whether the first frame of each stack may be a command."""
        return self._are_comms_with_pids if self.has_pid else self._are_comms

    def add(self, stacks: pl.Series) -> None:
        """What more stacks show."""
        first = stacks.str.split_exact(";", 1).struct.field("field_0").unique()
        firsts = [each for each in first if each != NO_COMM]
        with_pid = list(filter(_HAS_PID, firsts))
        self.has_pid &= len(with_pid) == len(firsts)
        self._are_comms &= all(map(_may_be_comm, firsts))
        self._are_comms_with_pids &= all(_may_be_comm(each.rpartition("-")[0]) for each in with_pid)
        rest = stacks.str.replace_all(_ESCAPE, "")
        self.is_escaped &= not rest.str.contains("\\", literal=True).any()
        self.is_marked |= bool(stacks.str.contains(_IS_MARKED).any())


def _may_be_comm(name: str) -> bool:
    comm = _ESCAPES.sub(_character, name)
    return len(comm) <= _LONGEST_COMM and not _IS_FUNCTION(name)


def unescaped(names: pl.Series, *, is_escaped: bool) -> pl.Series:
    r"""Names without the escapes of perfduck export. PHP has functions such as `App\new`: unless
    `is_escaped`, only `;` and backslashes are restored."""
    escapes = _ESCAPES if is_escaped else _SEPARATORS
    distinct = names.filter(names.str.contains("\\", literal=True)).unique().to_list()
    return names.replace({each: escapes.sub(_character, each) for each in distinct})


def _character(escape: re.Match[str]) -> str:
    if short := _SHORT.get(escape[0]):
        return short
    code = int(escape[0][2:], 16)
    is_text = code <= sys.maxunicode and not 0xD800 <= code <= 0xDFFF
    character = chr(code) if is_text else escape[0]
    is_ours = escape[0][1] != "x" or character in _ESCAPED or not character.isprintable()
    return character if is_ours else escape[0]


class FoldedLines(Struct):
    """The lines of a recording called `name`."""

    name: str
    evidence: Evidence = field(default_factory=Evidence)
    lines: int = 0
    zeros: int = 0  # lines of weight 0
    rounded: int = 0  # lines whose weights have decimals
    _total: Decimal = Decimal(0)
    _decimals: list[pl.DataFrame] = field(default_factory=list)  # stack, weight, lines
    _sizes: list[int] = field(default_factory=list)  # of the parts on disk
    _disk: IO[bytes] = field(default_factory=TemporaryFile)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._disk.close()

    def add(self, text: bytes) -> pl.DataFrame:
        """Keeps the lines of a text, which ends where a line ends; returns those that are skipped,
        as batch.SKIPPED. PerfduckError if the weights are more than can be added up."""
        parsed = self._parsed(text)
        is_stack = pl.col("stack").is_not_null()
        rows = parsed.filter(is_stack).select("stack", "weight")
        self.evidence.add(rows["stack"])
        has_decimals = pl.col("weight").str.contains(".", literal=True)
        self._keep(rows.filter(~has_decimals).with_columns(pl.col("weight").cast(pl.Int64)))
        self._keep_decimals(rows.filter(has_decimals))
        skipped = parsed.filter(~is_stack).select(
            pl.col("line").cast(pl.Int64),
            pl.col("text").str.slice(0, 200),
            pl.lit("no stack with a weight").alias("reason"),
        )
        return skipped.cast(pl.Schema(SKIPPED))

    def _parsed(self, text: bytes) -> pl.DataFrame:
        lines = pl.Series(text.decode("utf-8", "backslashreplace").split("\n"), dtype=pl.String)
        numbered = pl.DataFrame({"text": lines}).with_row_index("line", self.lines + 1)
        self.lines += len(lines) - (lines[-1] == "")
        is_blank = pl.col("text").str.strip_chars().str.len_bytes() == 0
        numbered = numbered.filter(~is_blank & ~pl.col("text").str.starts_with("#"))
        groups = pl.col("text").str.extract_groups(_STACK).struct.rename_fields(["stack", "weight"])
        return numbered.with_columns(groups.alias("parts")).unnest("parts")

    def _keep(self, rows: pl.DataFrame) -> None:
        self._count(Decimal(int(rows["weight"].cast(pl.Int128).sum())))
        kept = rows.filter(pl.col("weight") > 0)
        self.zeros += rows.height - kept.height
        start = self._disk.tell()
        kept.write_ipc(self._disk)
        self._sizes.append(self._disk.tell() - start)

    def _keep_decimals(self, rows: pl.DataFrame) -> None:
        exact = rows.with_columns(pl.col("weight").cast(_EXACT))
        kept = exact.filter(pl.col("weight") > 0)
        self._count(_sum(kept))
        self.zeros += rows.height - kept.height
        self.rounded += kept.height
        sums = kept.group_by("stack").agg(pl.col("weight").sum(), pl.len().alias("lines"))
        self._decimals.append(sums)

    def _count(self, weight: Decimal) -> None:
        self._total += weight
        if self._total > limits.most_weight:
            most = f"weights that add up to at most {limits.most_weight:,}"
            where = f"{self.name}:{self.lines}"
            raise PerfduckError.at(where, expected=most, got=f"{self._total:,.0f}")

    def rows(self) -> Iterator[pl.DataFrame]:
        """Part by part: stack, weight, and the number of lines."""
        self._disk.seek(0)
        for size in self._sizes:
            kept = pl.read_ipc(self._disk.read(size))
            yield kept.with_columns(lines=pl.lit(1, pl.Int64))
        place = pl.col("stack").str.len_bytes().cast(pl.Int64).cum_sum()
        part = place // limits.folded_part_bytes
        yield from self._rounded().with_columns(part=part).partition_by("part", include_key=False)

    def _rounded(self) -> pl.DataFrame:
        weight = (pl.col("weight").sum() + pl.lit(Decimal("0.5"))).cast(pl.Int64)
        sums = pl.concat(self._decimals).group_by("stack").agg(weight, pl.col("lines").sum())
        kept = sums.filter(pl.col("weight") > 0).sort("stack")
        return kept.with_columns(pl.col("lines").cast(pl.Int64))

    def limitations(self) -> dict[str, Limitation]:
        """What is not stored as it was, by code."""
        said = {}
        if self.zeros:
            said["folded-zeros"] = Limitation(f"lines of weight 0 are left out: {self.zeros:,}")
        if self.rounded:
            before = sum(map(_sum, self._decimals), Decimal(0))
            after = self._rounded()["weight"].sum()
            text = (
                f"weights with decimals are summed by stack and rounded: those of {self.rounded:,}"
            )
            text += f" lines, {before.normalize():,f} in all, are stored as {after:,}"
            said["folded-decimals"] = Limitation(text)
        return said


def _sum(rows: pl.DataFrame) -> Decimal:
    return Decimal(str(rows["weight"].sum()))
