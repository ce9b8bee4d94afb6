"""What a command says while it waits: for the store, or for somebody to type a recording."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import Parameter, signature
from threading import Timer
from typing import Annotated, Any

import typer

from perfduck.opening import be_patient
from perfduck_cli.numbers import LONGEST_S, number

_LIMIT_S = 30.0
_QUIET_S = 1.0
_Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        parser=number(0, LONGEST_S),
        metavar="SECONDS",
        help="How long to wait for a store that another process has open.",
    ),
]


def with_wait(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option --wait, where it opens a store."""
    parameters = signature(command).parameters
    if "store" not in parameters:
        return command

    @wraps(command)
    def run(*arguments: Any, wait: float = _LIMIT_S, **options: Any) -> None:
        be_patient(wait, say)
        command(*arguments, **options)

    option = Parameter("wait", Parameter.KEYWORD_ONLY, default=_LIMIT_S, annotation=_Wait)
    changed = signature(command).replace(parameters=[*parameters.values(), option])
    run.__signature__ = changed  # type: ignore[attr-defined]  # inspect and typer read it
    run.__annotations__ = {**command.__annotations__, "wait": _Wait}
    return run


def say(line: str) -> None:
    """A line that is no answer."""
    sys.stderr.write(f"perfduck: {line}\n")
    sys.stderr.flush()


@contextmanager
def typing(source: str) -> Iterator[Callable[[], None]]:
    """Say after a second that a recording is expected on the terminal. What is returned is to be
    called once there is one."""
    line = "waiting for a recording on standard input, the terminal: Ctrl-D ends it, Ctrl-C stops"
    timer = Timer(_QUIET_S, say, [line])
    timer.daemon = True
    if source == "-" and sys.stdin.isatty():
        timer.start()
    try:
        yield timer.cancel
    finally:
        timer.cancel()
