"""Maintainers: read kernels' debug packages, make the catalogue that perfduck ships.

    apt-get download linux-image-6.1.0-56-amd64-dbg && dpkg -x linux-image-*.deb dbg
    python -m perfduck_tags.build_catalogue read dbg/usr/lib/debug functions-6.1.parquet
    python -m perfduck_tags.build_catalogue pack functions-*.parquet

`read` writes [name, src, module, addr, size, section] of every code symbol of vmlinux and the
modules below a directory: about two minutes and 5.4 GB of disk per kernel. `pack` makes the data
files of this package from several of those; the file names tell the versions, and of kernels that
are not of x86 the architecture: functions-6.1-arm64.parquet.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from perfduck_model.errors import SymbolError
from perfduck_symbols import binary
from perfduck_symbols.dwarf import Dwarf
from perfduck_symbols.elf import open_elf
from perfduck_symbols.source_path import roots
from perfduck_tags import catalogue, catalogue_files, rules


def main(arguments: list[str]) -> int:
    """Run `read` or `pack`."""
    parser = argparse.ArgumentParser(prog="build_catalogue", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    reading = commands.add_parser("read", help="a kernel's functions from its debug information")
    reading.add_argument("directory", type=Path, help="holds vmlinux* and modules *.ko")
    reading.add_argument("output", type=Path)
    packing = commands.add_parser("pack", help="the shipped catalogue from several kernels")
    packing.add_argument("tables", type=Path, nargs="+", help="functions-VERSION.parquet")
    packing.add_argument("--output", type=Path, default=rules.DATA)
    options = parser.parse_args(arguments)
    try:
        _read(options) if options.command == "read" else _pack(options)
    except SymbolError as error:
        sys.stderr.write(f"build_catalogue: {error}\n")
        return 2
    return 0


def _read(options: argparse.Namespace) -> None:
    table = pl.concat(tables(options.directory))
    table.write_parquet(options.output, compression="zstd")
    sys.stderr.write(f"{len(table)} functions of {table['module'].n_unique()} binaries\n")


def _pack(options: argparse.Namespace) -> None:
    kernels = {
        path.stem.removeprefix("functions-"): pl.read_parquet(path) for path in options.tables
    }
    others = {version: table for version, table in kernels.items() if "-" in version}
    ordered = sorted(kernels.keys() - others, key=lambda version: catalogue.position(version) or 0)
    made = catalogue_files.compress({version: kernels[version] for version in ordered}, others)
    catalogue_files.write(made, options.output)
    size = len(made.functions), len(made.modules)
    sys.stderr.write(
        f"{size[0]} functions and {size[1]} modules of {', '.join([*ordered, *others])}\n"
    )


def tables(directory: Path) -> Iterator[pl.DataFrame]:
    """[name, src, module, addr, size, section] of vmlinux and then of each module."""
    kernel = next((path for path in sorted(directory.rglob("vmlinux*")) if path.is_file()), None)
    if kernel is None:
        raise SymbolError.in_file(directory, None, "expected a vmlinux somewhere below, got none")
    dwarf = Dwarf(open_elf(kernel))
    source_roots = roots(dwarf.source(unit.offset) for unit in dwarf.units())
    for path in [kernel, *sorted(directory.rglob("*.ko"))]:
        yield _table(binary.read(path, roots=source_roots))


def _table(read: binary.Binary) -> pl.DataFrame:
    return read.functions.select(
        "name",
        pl.col("source_file").alias("src"),
        pl.lit(read.module).alias("module"),
        pl.col("address").alias("addr"),
        "size",
        "section",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
