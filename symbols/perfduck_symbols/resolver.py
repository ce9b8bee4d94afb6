"""Finds the ELF file of a dso below the user's --symbols, and names addresses by it.

    dso                            looked for, below each place
    /usr/sbin/nginx                usr/sbin/nginx, nginx, nginx.debug, usr/sbin/nginx.debug
    [nf_conntrack]                 nf_conntrack.ko, .ko.xz, ...; of this release if there are more
    [kernel.kallsyms]              vmlinux*, of this release if there are more

`functions` is what a store keeps, so that the next profile needs no ELF file.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from perfduck_model.arrays import UInt64
from perfduck_model.errors import SymbolError
from perfduck_symbols import binary, names
from perfduck_symbols.addresses import preferred_first
from perfduck_symbols.binary import DEBUG, Binary
from perfduck_symbols.files import inside, is_regular, walk, what_is
from perfduck_symbols.intervals import Intervals

# The functions of several dsos, one frame: build_id is null where the file has none.
FUNCTIONS = {"dso": pl.String, "build_id": pl.String, **binary.FUNCTION}

_KERNELS = ("usr/lib/debug", "usr/lib/modules", "lib/modules", "boot")
_OF_A_SYSTEM = ("usr", "etc")  # folders that make a directory a root file system


def check_places(places: Iterable[Path]) -> None:
    """Raise SymbolError at a place that is neither a directory nor an ELF file."""
    from perfduck_symbols.elf import open_elf  # an import of text without --symbols reads none

    for place in places:
        if is_regular(place):
            open_elf(place)
        elif not place.is_dir():
            raise _no_place(place)


def _no_place(place: Path) -> SymbolError:
    reason = f"expected an ELF file or a directory, got: {what_is(place)}"
    return SymbolError.at(place, None, reason)


class BinaryResolver:
    """The user's ELF files: files, or directories of them."""

    def __init__(
        self, places: Iterable[Path], *, release: str | None = None, debug: Sequence[Path] = DEBUG
    ) -> None:
        """Look at nothing yet. release: of the profiled kernel; debug: of split-off symbols."""
        self._places = tuple(places)
        self._release = release
        own = (place / part for place in self._places for part in (".", "usr/lib/debug"))
        self._debug = (*own, *debug)

    def read(self, dsos: Iterable[str]) -> Iterator[tuple[str, Binary]]:
        """The dsos there is a file for, each with its functions."""
        for dso in sorted(set(dsos)):
            if path := self.find(dso):
                yield dso, binary.read(path, debug=self._debug)

    def functions(self, dsos: Iterable[str]) -> pl.DataFrame:
        """FUNCTIONS of all dsos there is a file for."""
        parts = [functions(dso, found) for dso, found in self.read(dsos)]
        return pl.concat([pl.DataFrame(schema=FUNCTIONS), *parts])

    def functions_of(self, dso: str, path: Path) -> pl.DataFrame:
        """FUNCTIONS of a dso that this file is, whatever it is called."""
        return functions(dso, binary.read(path, debug=self._debug))

    def find(self, dso: str) -> Path | None:
        """The file of a dso."""
        kind, module = names.binary(dso)
        if kind == "kernel":
            return self._of_release(self._kernel_files.get(module or "vmlinux", []))
        return self._program(dso.removesuffix(" (deleted)")) if kind == "user" else None

    def _program(self, dso: str) -> Path | None:
        # perf-7.map and //anon are no files with ELF symbols.
        if not dso.startswith("/") or dso.startswith("//") or dso.endswith(".map"):
            return None
        name = names.basename(dso)
        for place in self._places:
            if is_regular(place) and place.name in (name, f"{name}.debug"):
                return place
            for part in (dso, name, f"{name}.debug", f"{dso}.debug"):
                if found := inside(place, part):
                    return found
        return None

    def _of_release(self, paths: list[Path]) -> Path | None:
        same = [path for path in paths if self._release and self._release in str(path)]
        return next(iter(same or paths), None)

    @cached_property
    def _kernel_files(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for path in self._candidates():
            if module := binary.module_name(path):
                found.setdefault(module, []).append(path)
        return found

    def _candidates(self) -> Iterator[Path]:
        for place in self._places:
            if is_regular(place):
                yield place
                continue
            if not place.is_dir():
                raise _no_place(place)
            # Of a whole root file system only where kernels lie.
            usual = [place / part for part in _KERNELS if (place / part).is_dir()]
            whole = not usual and not all((place / part).is_dir() for part in _OF_A_SYSTEM)
            for folder in [place] if whole else usual:
                yield from sorted(walk(folder, _is_of_kernel), key=_kernels_first)


def _is_of_kernel(name: str) -> bool:
    return name.startswith("vmlinux") or ".ko" in name


def _kernels_first(path: Path) -> tuple[bool, Path]:
    return not path.name.startswith("vmlinux"), path


def functions(dso: str, found: Binary) -> pl.DataFrame:
    """FUNCTIONS of one dso."""
    return found.functions.select(
        pl.lit(dso).alias("dso"), pl.lit(found.build_id, pl.String).alias("build_id"), pl.all()
    )


def resolve(asked: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """[row, name, source_file] of those [row, dso, address] that lie in a known function. An
    address is an offset in the file, as perf prints since 5.17, else a virtual address."""
    parts = []
    told = asked.filter(pl.col("dso").is_in(known["dso"].unique().implode()))
    for (dso,), rows in told.group_by("dso", maintain_order=True):
        own = known.filter(pl.col("dso") == dso)
        by_offset = _lookup(rows, own, "offset")
        left = rows.join(by_offset, on="row", how="anti")
        parts += [by_offset, _lookup(left, own, "address")]
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
    found = best.select(pl.col("name", "source_file").gather(index[inside]))
    hit = rows.filter(pl.Series(inside)).select("row")
    return pl.concat([hit, found], how="horizontal")


def _unsigned(addresses: pl.Series) -> UInt64:
    """Addresses as they are, of the signed ones that a store has."""
    return addresses.to_numpy().astype(np.int64).view(np.uint64)
