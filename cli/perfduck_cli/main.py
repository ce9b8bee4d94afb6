"""The command line: which commands there are, and the one place that reports what users can mend.

Exit codes: 0 done, no regression; 1 regression; 2 usage or data error; 3 inconclusive.
"""

import gc
import os
import sys
from contextlib import suppress

import typer

from perfduck_cli import (
    demo_command,
    diff_commands,
    ingest_commands,
    query_commands,
    symbol_commands,
)

app = typer.Typer(
    name="perfduck",
    help="Which kernel path got dearer, by how many nanoseconds per packet, and is it noise.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich would double the time until it is there
)
for command in (
    *ingest_commands.COMMANDS,
    *query_commands.COMMANDS,
    *diff_commands.COMMANDS,
    *symbol_commands.COMMANDS,
    *demo_command.COMMANDS,
):
    app.command()(command)
for name, group in (*diff_commands.GROUPS.items(), *symbol_commands.GROUPS.items()):
    app.add_typer(group, name=name)


def main() -> None:
    """Run the command; report what the user can mend in a line, let bugs crash."""
    # Loading polars and duckdb makes 51,000 objects that stay: to look for garbage among them at
    # Python's own pace takes 0.03 s of 0.4 s.
    gc.set_threshold(100_000)
    # Before numpy is loaded: its BLAS starts a thread a CPU, and these spin for a while, 0.12 s of
    # CPU time. The matrices here are of a few runs.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        _run()
    except SystemExit as end:
        _leave(end)
    except Exception:
        # Here, because on the usual way out duckdb lists what it calls leaks behind it.
        sys.excepthook(*sys.exc_info())
        _leave(SystemExit(1))


def _run() -> None:
    from perfduck_store.errors import PerfduckError
    from perfduck_symbols.errors import SymbolError

    try:
        app()
    except (PerfduckError, SymbolError) as error:
        sys.stderr.write(f"perfduck: {error}\n")
        sys.exit(2)
    except BrokenPipeError:  # `perfduck top ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _leave(end: SystemExit) -> None:
    """Exit at once. Python would free everything that was loaded, one by one: 0.07 s of the 0.5 s
    that `top` takes. Stores are closed by then."""
    if not isinstance(end.code, int | None):
        raise end
    with suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(end.code or 0)
