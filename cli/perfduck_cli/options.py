"""Options that several commands share. Light: printing the help must not load polars."""

from pathlib import Path
from typing import Annotated, Literal

import typer

StorePath = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="PERFDUCK_STORE",
        metavar="PATH|URL",
        help="The store: a DuckDB file, or http://HOST:PORT of a perfduck server.",
        show_default=True,
    ),
]
DEFAULT_STORE = "perfduck.duckdb"

TableFormat = Literal["text", "markdown", "csv", "json"]
Format = Annotated[TableFormat, typer.Option("--format", help="How to print.")]
Selector = Annotated[
    str,
    typer.Argument(
        help="Profiles: a name, a glob, label=value[,label=value], id:HEX, or A+B. In double quotes"
        ' + , = * ? [ are themselves: \'"c++"+"run[1]"\'.'
    ),
]
EventName = Annotated[
    str | None,
    typer.Option("--event", help="Event to look at; default: the one that most profiles have."),
]
Rules = Annotated[
    Path | None, typer.Option(help="Your own tag rules, CSV or TOML, in front of the shipped ones.")
]
Kallsyms = Annotated[
    Path | None, typer.Option(help="/proc/kallsyms of the recorded boot, or System.map.")
]
Vmlinux = Annotated[Path | None, typer.Option(help="vmlinux of the recorded kernel, with DWARF.")]
Symbols = Annotated[
    list[Path] | None,
    typer.Option(help="Directory of ELF files with symbols, or one file."),
]
