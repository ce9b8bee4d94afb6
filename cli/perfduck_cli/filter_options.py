"""The filters that top, diff, compare and export share: options once, for every command.

    @filtered
    def top(selector: Selector, filters: FilterOptions, ...) -> None:

gives `top` the options below in place of its parameter `filters`.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from perfduck import FilterOptions
from perfduck_cli.options import whole


def _typed(
    where: Annotated[
        list[str] | None,
        typer.Option(help="Only profiles that this selector means too; all given must hold."),
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(help="Event, or a glob; default: the one that most profiles have."),
    ] = None,
    comm: Annotated[list[str] | None, typer.Option(help="Only these programs; a glob.")] = None,
    not_comm: Annotated[
        list[str] | None, typer.Option("--not-comm", help="Without these programs; a glob.")
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
    skip: Annotated[
        str | None, typer.Option(help="Leave out the start of every run: 1s, 500ms.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only the time up to here: 3s.")] = None,
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
        skip=skip,
        until=until,
    )


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of `_typed` in place of its parameter `filters`."""
    options = inspect.signature(_typed).parameters

    @functools.wraps(command)
    def with_options(**typed: Any) -> None:
        chosen = {name: typed.pop(name) for name in options}
        command(filters=_typed(**chosen), **typed)

    own = inspect.signature(command).parameters
    parameters = [
        each
        for name, parameter in own.items()
        for each in (options.values() if name == "filters" else (parameter,))
    ]
    keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    with_options.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in keyword}
    return with_options
