"""/proc/kallsyms of a running kernel, or the System.map of a kernel that was built.

    ffffffff81f28dd0 T nf_hook_slow
    ffffffffc0a41000 t nf_conntrack_in\t[nf_conntrack]

Plain, .gz, .xz or .zst. Addresses are zero for who may not see them: such a file is refused.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from perfduck_model.arrays import UInt64
from perfduck_model.errors import SymbolError
from perfduck_model.limits import limits
from perfduck_model.small_file import UserFile
from perfduck_symbols.addresses import Svmas, SymbolTable, page_behind
from perfduck_symbols.compression import unpacked
from perfduck_symbols.intervals import Intervals

_LAST = (1 << 64) - 1
_EXPECTED = "expected 'ADDRESS TYPE NAME'"
# All functions of a recording are in the kallsyms of its kernel. Of 670 functions that network
# loads on 6.18 hit, 7.2 has 94 %, 6.1 87 % and 5.10 79 %.
_LEAST_SHARE, _LEAST_NAMES = 0.95, 50
_LINE = r"^[0-9a-fA-F]{8,16} \S [^\t]+(?:\t\[[^\]]+\])?$"


# What perf makes symbols of, data too; and what is code.
_KINDS = tuple("TtWwDdBb")
_CODE = tuple("TtWw")


@dataclass(frozen=True)
class Kallsyms:
    """The symbols of a kernel and its modules. They have no sizes: each ends where the next begins.
    Of several names at an address the last of the file wins, as with perf and opreport."""

    rows: pl.DataFrame  # rows() of the lines that are symbols

    @cached_property
    def symbols(self) -> pl.DataFrame:
        """The code symbols, by address; aliases are kept."""
        code = self.rows.filter(pl.col("kind").is_in(_CODE))
        return code.sort("address", maintain_order=True)

    def resolve(self, addresses: pl.Series) -> pl.Series:
        """The function each address is in; null outside the code."""
        best = last_of_each(self.symbols)
        starts = best["address"].to_numpy()
        queries = addresses.to_numpy().astype(np.int64).view(np.uint64)
        ends = np.append(starts[1:], np.array([min(self.end, _LAST)], np.uint64))
        index = pl.Series("name", Intervals(starts, ends).find(queries))
        return best["name"].gather(index.replace(-1, None).cast(pl.UInt32))

    def part(self, module: str) -> SymbolTable[Svmas]:
        """The symbols that perf has of the kernel itself (''), or of a module: `[nf_conntrack]`."""
        own = pl.col("module").is_null() if not module else pl.col("module") == module.strip("[]")
        symbols = self._perf_symbols.filter(own)
        names = symbols["name"]
        starts, ends = Svmas(symbols["address"].to_numpy()), symbols["end"].to_numpy()
        return SymbolTable(starts, ends, lambda index: str(names[index]))

    @cached_property
    def _perf_symbols(self) -> pl.DataFrame:
        # Mapping symbols of ARM begin with a dollar.
        is_symbol = pl.col("kind").is_in(_KINDS) & ~pl.col("name").str.starts_with("$")
        ordered = self.rows.filter(is_symbol).sort("address", maintain_order=True)
        # Between the kernel and its modules there are gigabytes of nothing.
        of_module = pl.col("module").is_not_null()
        border = (of_module != of_module.shift(-1)).fill_null(value=True)
        behind = pl.lit(page_behind(ordered["address"].to_numpy()))
        end = pl.when(border).then(behind).otherwise(pl.col("address").shift(-1))
        return last_of_each(ordered.with_columns(end.alias("end")))

    def code(self, module: str) -> UInt64:
        """Where the functions of a module begin."""
        own = pl.col("module") == module.strip("[]")
        return self.rows.filter(own, pl.col("kind").is_in(["T", "t"]))["address"].to_numpy()

    def address(self, name: str) -> int | None:
        """Where a symbol of the kernel itself is."""
        return address_of(self.rows, name)

    def has_most(self, addresses: pl.Series) -> bool:
        """Whether nearly all of these addresses of the kernel itself are in its code: the kernel of
        another boot is at another address (KASLR), within a gigabyte."""
        own = self.symbols.filter(pl.col("module").is_null())["address"]
        queries = addresses.cast(pl.Int64).reinterpret(signed=False)
        inside = queries.is_between(own.min(), own.max())
        return inside.sum() >= _LEAST_SHARE * len(queries)

    @property
    def end(self) -> int:
        """Where the code ends: a page behind the start of the last function."""
        return int(self.symbols["address"].max() or 0) + 4096  # type: ignore[arg-type]

    def aliases(self, name: str) -> list[str]:
        """The other names of a function."""
        places = self.symbols.filter(pl.col("name") == name)["address"]
        there = self.symbols.filter(pl.col("address").is_in(places.implode()))["name"]
        return sorted(set(there) - {name})


def file_of(path: Path) -> UserFile:
    """The file, not read yet."""
    return UserFile(path, limits.most_kallsyms_bytes)


def read(file: UserFile) -> Kallsyms:
    """The symbols of a file."""
    return parse(file.path, raw(file).decode("utf-8", "backslashreplace"))


def raw(file: UserFile) -> bytes:
    """The decompressed bytes of a file, of a bounded number of lines."""
    lines = unpacked(file, "kallsyms", limits.most_kallsyms_bytes)
    if lines.count(b"\n") > limits.most_kallsyms_lines:
        reason = f"expected kallsyms of at most {limits.most_kallsyms_lines:,} lines, got more"
        raise SymbolError.in_file(file.path, None, reason)
    return lines


def check(path: Path, listed: Kallsyms, functions: pl.Series) -> None:
    """Raise SymbolError where the file does not list the functions of vmlinux that a recording
    names, so that it is of another kernel; of a few functions nothing is said."""
    missing = functions.filter(~functions.is_in(listed.rows["name"].implode())).sort()
    if len(functions) < _LEAST_NAMES or len(missing) <= (1 - _LEAST_SHARE) * len(functions):
        return
    reason = (
        f"expected kallsyms of the recorded kernel, got those of another one: {len(missing):,} of"
        f" {len(functions):,} kernel functions of the recording are not in it ({missing[0]}, ...)"
    )
    raise SymbolError.in_file(path, None, reason)


def parse(path: Path, text: str) -> Kallsyms:
    """The symbols of `text`; SymbolError where a line is none, or there is no code. `path` is what
    messages call it."""
    every = rows(text)
    _check(path, text, every["address"])
    kallsyms = Kallsyms(every)
    if kallsyms.symbols.is_empty() or kallsyms.symbols["address"].max() == 0:
        what = "no code symbols" if kallsyms.symbols.is_empty() else "only zeros (read it as root)"
        raise SymbolError.in_file(path, None, f"expected addresses of functions, got {what}")
    return kallsyms


def of_running_kernel(raw: bytes) -> Kallsyms:
    """What a kernel or perf wrote, not the user: lines that are no symbols are left out."""
    return Kallsyms(rows(raw.decode("utf-8", "backslashreplace")).drop_nulls("address"))


def last_of_each(symbols: pl.DataFrame) -> pl.DataFrame:
    """One symbol for each address, the last; `symbols` are sorted by address."""
    return symbols.unique("address", keep="last", maintain_order=True)


def rows(text: str) -> pl.DataFrame:
    """[address, kind, name, module] of every line, of data too; `address` is null where the line is
    no symbol."""
    lines = pl.Series("line", [text]).str.split("\n").explode().str.strip_chars_end("\r")
    if lines[-1] == "":
        lines = lines.head(-1)
    parts = lines.str.splitn(" ", 3).struct.unnest().with_columns(lines.str.contains(_LINE))
    address = pl.col("field_0").str.to_integer(base=16, dtype=pl.UInt64, strict=False)
    name = pl.col("field_2").str.splitn("\t", 2)
    return parts.select(
        pl.when("line").then(address).alias("address"),
        pl.col("field_1").alias("kind"),
        name.struct.field("field_0").alias("name"),
        name.struct.field("field_1").str.strip_chars("[]").alias("module"),
    )


def address_of(symbols: pl.DataFrame, name: str) -> int | None:
    """Where a symbol of the kernel itself is, of [address, name, module]."""
    rows = symbols.filter((pl.col("name") == name) & pl.col("module").is_null())
    return int(rows["address"][0]) if len(rows) else None


def _check(path: Path, text: str, addresses: pl.Series) -> None:
    wrong = addresses.is_null().arg_true()
    if len(wrong):
        first = int(wrong[0])
        line = text.split("\n")[first].removesuffix("\r")
        raise SymbolError.in_file(path, first + 1, f"{_EXPECTED}, got {line[:60]!r}")
