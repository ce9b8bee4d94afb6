"""The script with which a shell completes perfduck's commands and options.

The script calls perfduck itself for every word: with `_PERFDUCK_COMPLETE=complete_bash` in the
environment, typer answers with what fits instead of running the command.
"""

import os
from typing import Annotated, Literal

import typer
from typer.completion import completion_init, shell_complete  # type: ignore[attr-defined]

_VARIABLE = "_PERFDUCK_COMPLETE"


def completion(
    ctx: typer.Context,
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="Which shell.")],
) -> None:
    """Print a completion script for your shell.

    Put the line of the example into ~/.bashrc or ~/.zshrc; for fish:
    `perfduck completion fish > ~/.config/fish/completions/perfduck.fish`.
    """
    _know_shells()
    shell_complete(ctx.find_root().command, {}, "perfduck", _VARIABLE, f"source_{shell}")


def answer_shell() -> None:
    """Make typer able to answer where a shell asks."""
    if _VARIABLE in os.environ:
        _know_shells()


def _know_shells() -> None:
    completion_init()
