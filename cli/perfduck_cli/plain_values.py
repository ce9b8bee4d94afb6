"""Values of options that are what the command takes already, as nearly all are: text as it was
typed, a choice, a number that our own parser reads, a default.

typer has pydantic convert each value: to load it and to build a converter for every option takes a
third of the time of `profiles`. What is not plain, or is wrong, goes typer's way and has its
messages.
"""

import os
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

_NOT_PLAIN = object()


def take_plain_values(parameter: Any) -> None:
    """Have a parameter of a command convert no value that is what the command takes."""
    convert = parameter.process_value
    if "process_value" in vars(parameter):  # done before
        return

    def process_value(ctx: Any, value: Any) -> Any:
        plain = _plain(parameter, value)
        if plain is _NOT_PLAIN or (parameter.required and parameter.value_is_missing(plain)):
            return convert(ctx, value)
        return plain if parameter.callback is None else parameter.callback(ctx, parameter, plain)

    parameter.process_value = process_value


def _plain(parameter: Any, value: Any) -> Any:
    """The value as the command takes it, or _NOT_PLAIN."""
    is_several = parameter.nargs == -1 or getattr(parameter, "multiple", False)
    if value is None:
        return () if is_several else None
    described = getattr(parameter, "type_descriptor", None)  # typer before pydantic has none
    if described is None:
        return _NOT_PLAIN
    kind, said = described.annotation, described.parameter_info
    if not is_several:
        return _single(kind, said, value)
    if get_origin(kind) is not list or type(value) not in (list, tuple):
        return _NOT_PLAIN
    values = [_single(get_args(kind)[0], said, each) for each in value]
    return _NOT_PLAIN if _NOT_PLAIN in values else values


def _single(kind: Any, said: Any, value: Any) -> Any:
    """`said`: of typer.Option or typer.Argument."""
    if said.parser is not None and type(value) is str:
        try:
            return said.parser(value)
        except ValueError:
            return _NOT_PLAIN
    if get_origin(kind) is Literal:
        return value if value in get_args(kind) else _NOT_PLAIN
    if kind is Path:
        return Path(value) if _is_any_path(said) and os.access(value, os.R_OK) else _NOT_PLAIN
    return value if kind in (str, int, float, bool) and type(value) is kind else _NOT_PLAIN


def _is_any_path(said: Any) -> bool:
    """Whether the option asks no more of a path than that it can be read, if it is there."""
    is_any = said.file_okay and said.dir_okay and said.path_type is None
    return is_any and not (said.writable or said.resolve_path)
