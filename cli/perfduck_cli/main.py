"""The command line: which commands there are, and the one place that reports what users can fix.

Exit codes: 0 done, no regression; 1 regression; 2 an error of usage, data or environment, in a
line; 3 inconclusive; 70 a bug (EX_SOFTWARE of sysexits.h), with a traceback; 75 a
recording is kept that could not be sent (EX_TEMPFAIL).
"""

import os
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer

import perfduck
from perfduck import PerfduckError, visible
from perfduck_cli import process, standard_streams
from perfduck_cli.commands import ENTRIES, LazyCommands
from perfduck_cli.help import ABOUT, START, Command, Commands
from perfduck_cli.usage import in_a_line

USER_ERROR, BUG = 2, 70
_BISECT_ENDS = 127
_A_BUG = "perfduck: this is a bug, please report it with the lines above and the command"


class _Commands(Commands):
    """Commands whose usage errors are a line, and whose exceptions typer would turn into exit code
    1 (EPIPE, EOFError), which means regression."""

    def __init__(self, **options: Any) -> None:
        lazy = LazyCommands(ENTRIES, Command, Commands)
        super().__init__(**{**options, "commands": lazy})

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """What was typed in front of a command."""
        with in_a_line():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # of click.Context
        """Run the command that the arguments name."""
        try:
            with in_a_line():
                return super().invoke(ctx)
        except OSError as error:
            message = f"{error.filename or 'the system'}: {error.strerror or error}"
            raise PerfduckError(message) from error
        except EOFError as error:
            message = "unexpected end of data"
            raise RuntimeError(message) from error


app = typer.Typer(
    cls=_Commands,
    name="perfduck",
    help=ABOUT,
    epilog=START,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich would double the time until it is there
)


def _print_version(*, is_wanted: bool) -> None:
    if is_wanted:
        native = perfduck.native_version
        beside = "without perfduck-native" if native is None else f"perfduck-native {native}"
        beside += f", {perfduck.kernels_in_use} kernels"
        sys.stdout.write(f"perfduck {perfduck.__version__} ({beside})\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version.",
            is_eager=True,
            callback=lambda value: _print_version(is_wanted=value),
        ),
    ] = False,
) -> None:
    if "PERFDUCK_KERNELS" in os.environ:  # a wrong name is said by all commands
        _ = perfduck.kernels_in_use


def main() -> None:
    """Run the command; report what the user can fix in a line, let bugs crash with a code of their
    own."""
    process.tune()
    standard_streams.guard()
    process.watch_interrupts()
    if "_PERFDUCK_COMPLETE" in os.environ:  # a shell asks; else 10 ms for nothing
        import_module("perfduck_cli.completion").know_shells()
    _leave(_for_bisect(_exit_code()))


def _for_bisect(code: int) -> int:
    """With `--exit bisect`: `git bisect run` takes 1 to 127, but 125, for a bad commit, and ends
    above. An error says nothing of a commit, so 128 is added."""
    words = " ".join(sys.argv).replace("--exit=", "--exit ")
    is_verdict = code in (0, 1, 125) or code > _BISECT_ENDS
    return code if is_verdict or "--exit bisect" not in words else code + _BISECT_ENDS + 1


def _exit_code() -> int:
    try:
        code = _run()
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:  # outside of a command, which ends with the same code
        return _failed("", process.EXIT_CODE)
    except PerfduckError as error:
        return _failed(f"perfduck: {visible(str(error))}\n", USER_ERROR)
    except MemoryError:
        return _failed("perfduck: expected more memory, got all there is\n", USER_ERROR)
    except BaseException:  # a panic in Rust (polars, obstore) is no Exception
        # Here, because on the usual way out duckdb lists what it calls leaks behind it.
        return _failed(f"{traceback.format_exc()}{_A_BUG}\n", BUG)


def _run() -> int:
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else USER_ERROR
    return 0


def _failed(message: str, code: int) -> int:
    standard_streams.drop()
    with suppress(OSError, ValueError):
        sys.stderr.write(message)
    return code


def _leave(code: int) -> NoReturn:
    """Exit at once. Python would free everything that was loaded, one by one: 0.07 s of the 0.5 s
    that `top` takes. Stores are closed by then."""
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(code)
