"""Finds the ELF file of a dso below the user's --symbols, and names addresses by it.

    dso                            looked for, below each place
    /usr/sbin/nginx                usr/sbin/nginx, nginx, nginx.debug, usr/sbin/nginx.debug
    [nf_conntrack]                 nf_conntrack.ko, .ko.xz, ...; of this release if there are more
    [kernel.kallsyms]              vmlinux*, of this release if there are more

`functions` is what a store keeps, so that the next profile needs no ELF file.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

from perfduck_model.arrays import UInt64
from perfduck_symbols import binary, names
from perfduck_symbols.addresses import preferred_first
from perfduck_symbols.binary import Binary
from perfduck_symbols.file_finder import TAGS, FileFinder
from perfduck_symbols.files import HostFiles
from perfduck_symbols.intervals import Intervals

# The functions of several dsos, one frame: build_id is null where the file has none.
FUNCTIONS = {"dso": pl.String, "build_id": pl.String, **binary.FUNCTION}


class BinaryResolver:
    """The user's ELF files: files, or directories of them."""

    def __init__(
        self,
        places: Iterable[Path],
        *,
        release: str | None = None,
        host: HostFiles | None = None,
    ) -> None:
        """Look at nothing yet. release: of the profiled kernel; host: where else there may be debug
        files."""
        self._finder = FileFinder(places, TAGS, host)
        self._release = release

    def read(self, dsos: Iterable[str]) -> Iterator[tuple[str, Binary]]:
        """The dsos there is a file for, each with its functions."""
        for dso in sorted(set(dsos)):
            if path := self.find(dso):
                yield dso, binary.read(path, finder=self._finder)

    def functions(self, dsos: Iterable[str]) -> pl.DataFrame:
        """FUNCTIONS of all dsos there is a file for."""
        parts = [functions(dso, binary) for dso, binary in self.read(dsos)]
        return pl.concat([pl.DataFrame(schema=FUNCTIONS), *parts])

    def functions_of(self, dso: str, path: Path) -> pl.DataFrame:
        """FUNCTIONS of a dso that this file is, under any name."""
        return functions(dso, binary.read(path, finder=self._finder))

    def find(self, dso: str) -> Path | None:
        """The file of a dso."""
        kind, module = names.binary(dso)
        if kind == "kernel":
            return self._finder.kernel_file(module or "vmlinux", self._release)
        # perf-7.map and //anon are no files with ELF symbols.
        is_file = dso.startswith("/") and not dso.startswith("//") and not dso.endswith(".map")
        if kind != "user" or not is_file:
            return None
        return next(self._finder.binary(dso.removesuffix(" (deleted)")), None)


def functions(dso: str, binary: Binary) -> pl.DataFrame:
    """FUNCTIONS of one dso."""
    return binary.functions.select(
        pl.lit(dso).alias("dso"), pl.lit(binary.build_id, pl.String).alias("build_id"), pl.all()
    )


def resolve(asked: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """[row, name, source_file] of those [row, dso, address] that lie in a known function. An
    address is an offset in the file, as perf prints since 5.17, else a virtual address."""
    parts = []
    listed = asked.filter(pl.col("dso").is_in(known["dso"].unique().implode()))
    for (dso,), rows in listed.group_by("dso", maintain_order=True):
        own = known.filter(pl.col("dso") == dso)
        by_offset = _lookup(rows, own, "offset")
        unresolved = rows.join(by_offset, on="row", how="anti")
        parts += [by_offset, _lookup(unresolved, own, "address")]
    empty = {"row": pl.UInt32, "name": pl.String, "source_file": pl.String}
    return pl.concat([pl.DataFrame(schema=empty), *parts])


def _lookup(rows: pl.DataFrame, known: pl.DataFrame, column: str) -> pl.DataFrame:
    ordered = known.sort(column, *preferred_first("size", "name"))
    best = ordered.unique(column, keep="first", maintain_order=True)
    if best.is_empty():
        return pl.DataFrame(schema={"row": pl.UInt32, "name": pl.String, "source_file": pl.String})
    starts, sizes = best[column].to_numpy(), best["size"].to_numpy()
    ends = np.maximum(starts + np.maximum(sizes, 1), starts)  # not beyond the last address
    index = Intervals(starts, ends).find(_unsigned(rows["address"]))
    inside = index >= 0
    names = best.select(pl.col("name", "source_file").gather(index[inside]))
    hit = rows.filter(pl.Series(inside)).select("row")
    return pl.concat([hit, names], how="horizontal")


def _unsigned(addresses: pl.Series) -> UInt64:
    """Addresses as they are, of the signed ones that a store has."""
    return addresses.to_numpy().astype(np.int64).view(np.uint64)
