"""What is set for the whole process, which a library must not do: garbage collection, threads of
BLAS, glibc's malloc, and Ctrl-C, which ends the process with 130, during any command.

Python hears a signal between two of its own instructions, and a whole statement of duckdb, a sort
of numpy or a join of polars is one. A thread hears it at once: it stops the statements, so that a
transaction is rolled back and the store closed as usual, and after GRACE_S ends the process. A
store keeps what was committed, as after SIGKILL.
"""

import ctypes
import gc
import os
import signal
import time
from threading import Thread

from perfduck.opening import interrupt_all

# malloc.h: from this size on an allocation is a mapping of its own; keep no more than this on top.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_BYTES = 8 << 20
GRACE_S = 2.0
_AGAIN_S = 0.05  # a statement may begin after the signal and before Python hears of it
EXIT_CODE = 130  # of shells: 128 + SIGINT


def tune() -> None:
    """For every command; before numpy is loaded."""
    # Loading polars and duckdb makes 51,000 objects that stay: to look for garbage among them at
    # Python's own pace takes 0.03 s of 0.4 s.
    gc.set_threshold(100_000)
    # numpy's BLAS starts a thread a CPU, and these spin for a while, 0.12 s of CPU time. The
    # matrices here are of a few runs.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def return_freed_memory() -> None:
    """Freed memory goes back to the system; nothing where the C library is not glibc.

    glibc keeps what is freed below memory in use, and a part of a recording becomes arrays of all
    sizes, with a few small objects that stay. While 652 MB of text were read, the process grew to
    706 MB without this, and to 466 MB with it. Lower bounds save 30 MB more, and cost a second of
    page faults.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _BYTES)
        mallopt(_M_TRIM_THRESHOLD, _BYTES)


def keep_what_is_loaded() -> None:
    """What is loaded stays: ingest looks for garbage after each recording, 0.03 s among all of
    it."""
    gc.freeze()


def watch_interrupts() -> None:
    """Start the thread. Where SIGINT is ignored, as in the background of a shell, it stays so."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    Thread(target=_listen, args=(reader,), daemon=True).start()
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # since start.py
        signal.signal(signal.SIGINT, signal.default_int_handler)


def leave_interrupts_to_command() -> None:
    """Signals are the command's own matter from now on: a server first answers its requests."""
    signal.set_wakeup_fd(-1)


def _listen(reader: int) -> None:
    while os.read(reader, 1)[0] != signal.SIGINT:
        pass
    end = time.monotonic() + GRACE_S
    while time.monotonic() < end:
        interrupt_all()
        time.sleep(_AGAIN_S)
    os._exit(EXIT_CODE)
