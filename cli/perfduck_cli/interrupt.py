"""Ctrl-C ends the process with 130, during any command.

Python hears a signal between two of its own instructions, and a whole statement of duckdb, a sort
of numpy or a join of polars is one. A thread hears it at once: it stops the statements, so that a
transaction is rolled back and the store closed as usual, and after GRACE_S ends the process. A
store keeps what was committed, as after SIGKILL.
"""

import os
import signal
import time
from threading import Thread

from perfduck.opening import interrupt_all

GRACE_S = 2.0
_AGAIN_S = 0.05  # a statement may begin after the signal and before Python hears of it
_EXIT_CODE = 130  # of shells: 128 + SIGINT


def watch() -> None:
    """Start the thread. Where SIGINT is ignored, as in the background of a shell, it stays so."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    Thread(target=_listen, args=(reader,), daemon=True).start()


def leave_to_command() -> None:
    """Signals are the command's own matter from now on: a server first answers its requests."""
    signal.set_wakeup_fd(-1)


def _listen(reader: int) -> None:
    while os.read(reader, 1)[0] != signal.SIGINT:
        pass
    end = time.monotonic() + GRACE_S
    while time.monotonic() < end:
        interrupt_all()
        time.sleep(_AGAIN_S)
    os._exit(_EXIT_CODE)
