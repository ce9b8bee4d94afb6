"""The filters that top, diff, compare and export share: options once, for every command.

    @filtered
    def top(selector: Selector, filters: Filters, ...) -> None:

gives `top` the options below in place of its parameter `filters`.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from perfduck_cli.numbers import whole
from perfduck_diff.filters import Filters

_CPUS = 1_000_000  # of no machine
_TIMES = {"ms": 0.001, "us": 1e-6, "min": 60.0, "s": 1.0, "": 1.0}


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
    cpu: Annotated[list[str] | None, typer.Option(help="Only these CPUs: 0, 0-3, 0,2.")] = None,
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
) -> Filters:
    """What was typed as filters. Of a repeated option any value may hold, but of --where all."""
    filters = Filters(
        where=_texts("--where", where),
        event=_texts("--event", event),
        comm=_texts("--comm", comm),
        not_comm=_texts("--not-comm", not_comm),
        pid=tuple(pid or ()),
        cpu=tuple(number for text in cpu or () for number in _cpus(text)),
        dso=_texts("--dso", dso),
        subsystem=_texts("--subsystem", subsystem),
        cgroup=_texts("--cgroup", cgroup),
        from_s=_seconds("--skip", skip),
        to_s=_seconds("--until", until),
    )
    if filters.to_s is not None and filters.to_s <= (filters.from_s or 0.0):
        _refuse(f"--until {until}: expected a time after --skip {skip or '0s'}")
    return filters


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


def _texts(option: str, values: list[str] | None) -> tuple[str, ...]:
    if values and not all(values):
        _refuse(f"{option}: expected a name or a glob, got nothing")
    return tuple(values or ())


def _cpus(text: str) -> range | list[int]:
    """As the kernel and perf write lists of CPUs: 0-3,8."""
    from perfduck_model.typed_numbers import whole_number

    try:
        ends = [[whole_number(end.strip()) for end in part.split("-")] for part in text.split(",")]
    except ValueError:
        ends = [[]]
    if not all(0 < len(pair) < 3 and 0 <= pair[0] <= pair[-1] < _CPUS for pair in ends):
        _refuse(f"--cpu {text}: expected CPUs like 0, 0-3 or 0,2")
    return [number for pair in ends for number in range(pair[0], pair[-1] + 1)]


def _seconds(option: str, text: str | None) -> float | None:
    from perfduck_model import typed_numbers

    if text is None:
        return None
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz ")
    scale = _TIMES.get(text[len(number) :].strip(), -1.0)
    try:
        seconds = typed_numbers.number(number.strip()) * scale
    except ValueError:
        seconds = -1.0
    if seconds < 0:
        _refuse(f"{option} {text}: expected a time like 1s or 500ms")
    return seconds


def _refuse(message: str) -> None:
    from perfduck_model.errors import PerfduckError

    raise PerfduckError(message)
