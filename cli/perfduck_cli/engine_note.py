"""What a command says that has no --engine, where $PERFDUCK_ENGINE names one for its lake."""

import os
from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

from perfduck_cli.waiting import say

_UNUSED = "$PERFDUCK_ENGINE is not used by this command, which reads the lake on this machine"


def with_engine_note(command: Callable[..., None]) -> Callable[..., None]:
    """The command with that line."""
    parameters = signature(command).parameters
    if "store" not in parameters or "engine" in parameters:
        return command

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        if os.environ.get("PERFDUCK_ENGINE") and str(options["store"]).startswith("lake:"):
            say(_UNUSED)
        command(*arguments, **options)

    return run
