"""The script with which a shell completes perfduck's commands and options.

The script calls perfduck itself for every word: with `_PERFDUCK_COMPLETE=complete_bash` in the
environment, typer answers with what fits instead of running the command.
"""

from typing import Annotated, Literal

import typer
from typer.completion import completion_init, shell_complete  # type: ignore[attr-defined]


def completion(
    ctx: typer.Context,
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="Which shell.")],
) -> None:
    """Print a completion script for your shell.

    Put the line of the example into ~/.bashrc or ~/.zshrc; for fish:
    `perfduck completion fish > ~/.config/fish/completions/perfduck.fish`.
    """
    know_shells()
    shell_complete(ctx.find_root().command, {}, "perfduck", "_PERFDUCK_COMPLETE", f"source_{shell}")


def know_shells() -> None:
    """Make typer able to answer where a shell asks."""
    completion_init()
