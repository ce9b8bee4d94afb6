"""Maintainers: check the table of renamed kernel functions, and look for more of them.

    python -m perfduck_tags.build_renamed check functions-*.parquet     [--output FILE]
    python -m perfduck_tags.build_renamed candidates functions-6.1.parquet functions-7.2.parquet

The tables are those of `build_catalogue read`. `check` finds for each row the nearest kernels on
both sides of the change: the older one must have the old name, the newer one the new name, as long
as no other row says that the name began later or ended sooner. It writes the table with the column
`checked`, and fails if a row is contradicted. `candidates` lists names that are in one kernel only,
in the same source file, alike in name and size: people decide.
"""

import argparse
import csv
import difflib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import astuple, replace
from pathlib import Path

import polars as pl

from perfduck_model.errors import SymbolError
from perfduck_symbols.names import canonical
from perfduck_tags.catalogue import position
from perfduck_tags.renamed import COLUMNS, RENAMED, Renamed, last_names, read

Kernels = dict[str, set[str]]  # version -> canonical names of its functions
ALIKE = 0.7  # similarity of two names, by difflib, that is worth a look


def main(arguments: list[str]) -> int:
    """Run `check` or `candidates`."""
    parser = argparse.ArgumentParser(prog="build_renamed", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="each row against the kernels")
    checking.add_argument("tables", type=Path, nargs="+", help="functions-VERSION.parquet")
    checking.add_argument("--output", type=Path, default=RENAMED)
    looking = commands.add_parser("candidates", help="what may have been renamed between two")
    looking.add_argument("tables", type=Path, nargs=2, help="functions-VERSION.parquet")
    options = parser.parse_args(arguments)
    try:
        return _check(options) if options.command == "check" else _candidates(options.tables)
    except SymbolError as error:
        sys.stderr.write(f"build_renamed: {error}\n")
        return 2


def _check(options: argparse.Namespace) -> int:
    kernels = {_version(path): set(_names(path)["name"]) for path in options.tables}
    rows = read()
    last_names(rows)
    results = [(row, *checked(row, rows, kernels)) for row in rows]
    with options.output.open("w", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(COLUMNS)
        lines.writerows(astuple(replace(row, checked=shown)) for row, shown, _ in results)
    wrong = [f"{row.old} -> {row.new}: {reason}\n" for row, _, reason in results if reason]
    shown = sum(1 for _, by, _ in results if by)
    sys.stderr.write("".join(wrong))
    sys.stderr.write(f"{len(rows)} rows: {shown} shown by kernels, {len(wrong)} contradicted\n")
    return 1 if wrong else 0


def checked(row: Renamed, rows: Iterable[Renamed], kernels: Kernels) -> tuple[str, str]:
    """'OLD>NEW', the kernels that show the change, or ''; and what contradicts it, or ''."""
    rows = list(rows)
    if row.kind == "layer":
        return _layer(row, kernels)
    if row.note == "arm64":
        return "", ""  # the catalogued kernels are x86
    begins = [_at(other.first) for other in rows if other.new == row.old]
    ends = [_at(other.first) for other in rows if other.old == row.new]
    before = [v for v in kernels if min(begins, default=0) <= _at(v) < _at(row.first)]
    after = [v for v in kernels if _at(row.first) <= _at(v) < min(ends, default=1 << 30)]
    old, new = max(before, key=_at, default=""), min(after, key=_at, default="")
    if old and row.old not in kernels[old]:
        return "", f"{row.old} is not in {old}"
    if new and row.new not in kernels[new]:
        return "", f"{row.new} is not in {new}"
    return (f"{old}>{new}" if old and new else ""), ""


def _layer(row: Renamed, kernels: Kernels) -> tuple[str, str]:
    """Both in one kernel, which calls one by the other."""
    both = [v for v, names in kernels.items() if {row.old, row.new} <= names]
    if not both:
        return "", "no kernel has both"
    return f"{(newest := max(both, key=_at))}>{newest}", ""


def _candidates(tables: list[Path]) -> int:
    older, newer = (_names(path) for path in tables)
    gone = older.join(newer, on="name", how="anti")
    come = newer.join(older, on="name", how="anti")
    old_names = {row.old for row in read()}
    for (source,), some in gone.group_by("src", maintain_order=True):
        others = come.filter(pl.col("src") == source)
        for old, new, likeness in _alike(some, others):
            if old not in old_names:
                sys.stdout.write(f"{source} {old} {new} {likeness:.2f}\n")
    return 0


def _alike(gone: pl.DataFrame, come: pl.DataFrame) -> Iterator[tuple[str, str, float]]:
    """Pairs by falling likeness of name and size, each name once."""
    pairs = [
        (difflib.SequenceMatcher(None, old, new).ratio(), min(a, b) / max(a, b, 1), old, new)
        for old, a in gone.select("name", "size").iter_rows()
        for new, b in come.select("name", "size").iter_rows()
    ]
    used: set[str] = set()
    for likeness, size, old, new in sorted(pairs, key=lambda p: -p[0] * (1 + p[1])):
        if likeness >= ALIKE and not used & {old, new}:
            used |= {old, new}
            yield old, new, likeness * (1 + size) / 2


def _names(path: Path) -> pl.DataFrame:
    """[name, src, size] of the functions of a kernel, by their canonical names."""
    table = pl.read_parquet(path).with_columns(canonical(pl.col("name")).alias("name"))
    return table.sort("size", descending=True).unique("name", keep="first", maintain_order=True)


def _version(path: Path) -> str:
    return path.stem.removeprefix("functions-")


def _at(version: str) -> int:
    place = position(version)
    if place is None:
        raise SymbolError.in_file(RENAMED, None, f"expected a kernel version, got {version}")
    return place


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
