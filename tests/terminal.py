"""A terminal for tests: perfduck with a pty as its standard output."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

PROGRAM = [sys.executable, "-c", "from perfduck_cli.main import main; main()"]
_PLAIN = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "PERFDUCK_STORE")


def on_terminal(
    *words: str | Path, store: Path, columns: int, environment: Mapping[str, str] | None = None
) -> str:
    """What is on a terminal of so many columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    inherited = {key: value for key, value in os.environ.items() if key not in _PLAIN}
    program = subprocess.Popen(
        [*PROGRAM, *map(str, words), "--store", str(store)], stdout=slave, stdin=slave,
        env=inherited | {"TERM": "xterm-256color", **(environment or {})},
    )  # fmt: skip
    os.close(slave)
    written = b""
    while True:
        try:
            part = os.read(master, 65_536)
        except OSError:  # EIO: the other side is closed
            break
        if not part:
            break
        written += part
    os.close(master)
    program.wait()
    return written.decode().replace("\r\n", "\n")
