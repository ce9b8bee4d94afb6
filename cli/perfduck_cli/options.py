"""Options that several commands share: numbers and what they accept, the store, the filters.

    @filtered
    def top(selector: Selector, filters: FilterOptions, ...) -> None:

gives `top` the options of `_typed` in place of its parameter `filters`, which gets what `_typed`
makes of them.
"""

import functools
import inspect
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from perfduck import FilterOptions, PerfduckError, TableFormat
from perfduck import typed as typed_values

_N = TypeVar("_N", int, float)
_MOST = 10**18
LONGEST_S = 1e6  # of what waits; a thread cannot wait for 1e10


def whole(least: int, most: int = _MOST) -> Callable[[str | int], int]:
    """A parser of whole numbers from `least` to `most`."""

    def parse(typed: str | int) -> int:
        return _checked(typed, typed_values.whole_number, least, most, "whole number")

    return parse


def number(least: float = -_MOST, most: float = _MOST) -> Callable[[str | float], float]:
    """A parser of numbers from `least` to `most`."""

    def parse(typed: str | float) -> float:
        return _checked(typed, typed_values.number, least, most, "number")

    return parse


def _checked(
    typed: str | _N, read: Callable[[str], _N], least: _N, most: _N, kind: str
) -> _N:  # fmt: skip
    """The number; a default is one already. ValueError in the words of a usage error."""
    value = None
    with suppress(ValueError):
        value = read(typed) if isinstance(typed, str) else typed
        if least <= value <= most:
            return value
    message = f"expected a {kind}{_within(least, most, value)}, got {typed or 'nothing'}"
    raise ValueError(message)


def _within(least: float, most: float, value: float | None) -> str:
    """Which numbers are taken; that there is a most at all, where it is met."""
    if most == _MOST and value is not None and abs(value) > _MOST:
        return " of at most 1e18"
    if most != _MOST:
        return f" from {least:,} to {most:,.0f}"
    return "" if least == -_MOST else f" of {least:,} or more"


def _store(metavar: str, help: str) -> Any:
    """The option --store."""
    return typer.Option(
        "--store", envvar="PERFDUCK_STORE", metavar=metavar, help=help, show_default=True
    )


StorePath = Annotated[
    str,
    _store(
        "PATH|URL",
        "The store: a DuckDB file, http://HOST:PORT of a perfduck server, lake:DIRECTORY, or"
        " lake:s3://BUCKET/PREFIX.",
    ),
]
StoreFile = Annotated[str, _store("PATH", "The store of the server: a DuckDB file.")]
DEFAULT_STORE = "perfduck.duckdb"
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        envvar="PERFDUCK_ENGINE",
        metavar="URL",
        help="sc://HOST:PORT of a Spark Connect server that reads the lake, in place of DuckDB.",
    ),
]


def path_to_serve(store: str) -> Path:
    """The path of a store on this machine. PerfduckError for another, and where it is set."""
    if not store.startswith(("http:", "https:", "lake:")):
        return Path(store)
    kind = "lake" if store.startswith("lake:") else "URL"
    is_variable = os.environ.get("PERFDUCK_STORE") == store
    hint = " of $PERFDUCK_STORE (--store PATH goes before it)" if is_variable else ""
    raise PerfduckError.at(store, expected="the path of a store to serve", got=f"a {kind}{hint}")


SpoolDirectory = Annotated[
    Path | None,
    typer.Option(
        "--spool",
        help="Directory that keeps what cannot be sent to a server; `perfduck push` sends it.",
    ),
]

Format = Annotated[TableFormat, typer.Option("--format", help="How to print.")]
Selector = Annotated[
    str,
    typer.Argument(
        help="Profiles: a name, a glob, label=value[,label=value], id:HEX, or A+B. In double quotes"
        ' + , = * ? [ are literal: \'"c++"+"run[1]"\'.'
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


def sharing(
    name: str, typed: Callable[..., Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator of commands: the parameters of `typed` in place of parameter `name`."""
    options = inspect.signature(typed).parameters

    def with_options(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**values: Any) -> None:
            chosen = {option: values.pop(option) for option in options}
            command(**{name: typed(**chosen)}, **values)

        parameters = [
            each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for own, parameter in inspect.signature(command).parameters.items()
            for each in (options.values() if own == name else (parameter,))
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return with_options


def _typed(
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="Only profiles that this selector also matches; with several, all must match."
        ),
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(help="Event, or a glob; default: the one that most profiles have."),
    ] = None,
    comm: Annotated[list[str] | None, typer.Option(help="Only these programs; a glob.")] = None,
    not_comm: Annotated[
        list[str] | None, typer.Option("--not-comm", help="Leave out these programs; a glob.")
    ] = None,
    pid: Annotated[
        list[int] | None, typer.Option(parser=whole(-1, 2**31 - 1), help="Only these processes.")
    ] = None,
    cpu: Annotated[
        list[str] | None, typer.Option(help="Only these CPUs: 0, 0-3, 0,2; all must have samples.")
    ] = None,
    dso: Annotated[
        list[str] | None, typer.Option(help="Only samples whose leaf is in this binary; a glob.")
    ] = None,
    subsystem: Annotated[
        list[str] | None, typer.Option(help="Only what is blamed on these; a glob.")
    ] = None,
    cgroup: Annotated[list[str] | None, typer.Option(help="Only these cgroups; a glob.")] = None,
    netns: Annotated[
        list[str] | None,
        typer.Option(help="Only threads in these network namespaces: inode; a glob."),
    ] = None,
    not_netns: Annotated[
        list[str] | None,
        typer.Option("--not-netns", help="Leave out these network namespaces; a glob."),
    ] = None,
    pod: Annotated[
        list[str] | None,
        typer.Option(help="Only what is blamed on these pods: [NAMESPACE/]POD; a glob."),
    ] = None,
    not_pod: Annotated[
        list[str] | None, typer.Option("--not-pod", help="Leave out these pods; a glob.")
    ] = None,
    skip: Annotated[
        str | None, typer.Option(help="Leave out the start of every run: 1s, 500ms.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Leave out everything after this time: 3s.")
    ] = None,
) -> FilterOptions:
    """What was typed as filters. Of a repeated option any value may hold, but of --where all."""
    return FilterOptions(
        where=where,
        event=event,
        comm=comm,
        not_comm=not_comm,
        pid=pid,
        cpu=cpu,
        dso=dso,
        subsystem=subsystem,
        cgroup=cgroup,
        netns=netns,
        not_netns=not_netns,
        pod=pod,
        not_pod=not_pod,
        skip=skip,
        until=until,
    )


filtered = sharing("filters", _typed)
