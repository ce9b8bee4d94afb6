"""Standard input, read in large pieces.

perf script writes 4 kB at a time. A reader that waits for each is woken 190,000 times for 826 MB,
which costs writer and reader 2 s of 10: so the pipe is made larger, and left to fill.
"""

import contextlib
import fcntl
import io
import sys
import time
from typing import cast

PIPE_BYTES = 1 << 20  # what a user may set: /proc/sys/fs/pipe-max-size
_NAP_S = 0.003  # perf script fills the pipe in 10 ms


def standard_input() -> io.BufferedReader:
    """Standard input of any kind."""
    return io.BufferedReader(_Pipe(cast(io.BufferedReader, sys.stdin.buffer)))


class _Pipe(io.RawIOBase):
    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self._has_ended = False
        with contextlib.suppress(OSError):  # a file, a terminal
            fcntl.fcntl(file, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # of all buffers
        got = 0 if self._has_ended else self._file.readinto1(buffer)
        self._has_ended = got == 0  # a terminal can be read on behind Ctrl-D
        if 0 < got < min(len(buffer), PIPE_BYTES // 2):
            time.sleep(_NAP_S)
        return got
