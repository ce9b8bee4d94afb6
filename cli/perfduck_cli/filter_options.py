"""The filters that top, diff, compare and export share: options once, for every command.

    @filtered
    def top(selector: Selector, filters: FilterOptions, ...) -> None:

gives `top` the options below in place of its parameter `filters`.
"""

from typing import Annotated

import typer

from perfduck import FilterOptions
from perfduck_cli.options import whole
from perfduck_cli.shared_options import sharing


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


filtered = sharing("filters", _typed)
