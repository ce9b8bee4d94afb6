"""What was typed wrong, in a line, where typer prints four.

perfduck: --by: expected function, path or dso, got functoin. Did you mean function?
perfduck: no such option: --limt: did you mean --limit? (see perfduck top -h)
"""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import typer

from perfduck import visible
from perfduck.typed import did_you_mean

# typer does not export it: what its messages of usage are, BadParameter among them.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]
_NO_CHOICE = re.compile(r"'(?P<typed>[^']*)' is not one of (?P<choices>.*)")
_EXTRA = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((?P<typed>.*)\)")
_NO_OPTION = "no such option"
_AFTER = ": options follow their command, as in perfduck profiles --store PATH"
_OF_COMMAND = ": those of the command to record follow --, as in perfduck record -- iperf3 -c HOST"
_SHOWN = 3  # arguments too many


class UsageError(typer.BadParameter):
    """A usage error that typer shows as a line; it exits with 2."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        (file or sys.stderr).write(f"perfduck: {visible(self.message)}\n")


@contextmanager
def in_a_line() -> Iterator[None]:
    """A usage error within becomes one that is a line. The help that a command without arguments
    prints is none."""
    try:
        yield
    except _UsageError as error:
        if isinstance(error, UsageError) or _is_help(error):
            raise
        raise UsageError(_words(error)) from error


def refuse_repeated(typed: Iterable[Any]) -> None:
    """UsageError for an option of one value that is typed twice: the last would win, without a word
    on the first. `typed`: the parameters in the order in which they are typed."""
    for parameter, times in Counter(typed).items():
        if parameter.param_type_name == "option" and times > 1 and not parameter.multiple:
            message = f"{_name(parameter)}: expected it once, got it {times} times"
            raise UsageError(message)


def refuse_empty_paths(
    order: Iterable[Any], typed: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    """UsageError for an empty path, which would be the current directory. `order`: the parameters
    typed; `typed`: their texts by name; `values`: what these became."""
    for parameter in order:
        values_of, texts = (_several(some.get(parameter.name)) for some in (values, typed))
        if "" in texts and all(isinstance(value, Path) for value in values_of):
            message = f"{_name(parameter)}: expected a path, got nothing"
            raise UsageError(message)


def _several(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else (value,)


def _is_help(error: Any) -> bool:
    return error.ctx is not None and error.message == error.ctx.get_help()


def _words(error: Any) -> str:
    message = error.message.removeprefix("Value error, ")
    parameter = getattr(error, "param", None)
    if parameter is not None and message:
        return f"{_name(parameter)}: {_choice(message)}"
    text = " ".join(error.format_message().split()).rstrip(".")
    text = text[:1].lower() + text[1:]
    if match := _EXTRA.match(error.message):
        return f"{_too_many(match['typed'].split())} ({_usage(error)})"
    if parameter is not None:
        return f"{text} ({_usage(error)})"
    if error.ctx is None:
        return text
    if hasattr(error, "option_name"):
        text = f"{_NO_OPTION}: {error.option_name}{_meant(error)}"
    return f"{text} (see {error.ctx.command_path} -h)"


def _meant(error: Any) -> str:
    """What an unknown option may be: click offers all that share some letters."""
    if error.ctx.parent is None:
        return _AFTER
    names = [name.lstrip("-") for parameter in error.ctx.command.params for name in parameter.opts]
    hint = did_you_mean(error.option_name.lstrip("-"), [n for n in names if len(n) > 1], 0.7)
    if hint:
        return f": {hint.strip().replace('mean ', 'mean --')}"
    return _OF_COMMAND if error.ctx.info_name == "record" else ""


def _name(parameter: Any) -> str:
    """An option as it is typed, an argument as the usage shows it."""
    return str(parameter.opts[0] if parameter.param_type_name == "option" else parameter.name)


def _usage(error: Any) -> str:
    text = " ".join(error.ctx.get_usage().split())
    return text[:1].lower() + text[1:]


def _too_many(typed: list[str]) -> str:
    """A glob that the shell has replaced by the files that match is a common reason."""
    more = ", ..." if len(typed) > _SHOWN else ""
    hint = ": a glob needs quotes, as in 'native.*'" if more else ""
    return f"unexpected: {', '.join(typed[:_SHOWN])}{more}{hint}"


def _choice(message: str) -> str:
    """`'functoin' is not one of 'function', 'path'` as an expectation, with what may be meant."""
    match = _NO_CHOICE.search(message)
    if match is None:
        return message
    choices = re.findall("'([^']*)'", match["choices"])
    *others, last = choices
    listed = f"{', '.join(others)} or {last}" if others else last
    hint = did_you_mean(match["typed"], choices).capitalize()
    return f"expected {listed}, got {match['typed'] or 'nothing'}. {hint}".rstrip(". ")
