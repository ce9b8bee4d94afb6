"""Where the program begins: Ctrl-C ends it without a traceback while all else is loaded, for 0.2 s.
Python's own handler is back before a command runs (process.watch_interrupts)."""

import signal
from importlib import import_module


def main() -> None:
    """Load and run the command line."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    import_module("perfduck_cli.main").main()
