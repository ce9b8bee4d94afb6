"""The command line, run in this process: what a process of its own would print, without its start.

Tests whose subject is the process (signals, pipes, streams that are closed) start one.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from typer.testing import CliRunner

from perfduck_cli.main import USER_ERROR, app
from perfduck_model.errors import PerfduckError
from perfduck_report.names import visible


def run(words: Sequence[str | Path], stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Exit code and output of `perfduck WORDS`; raises what would be a bug."""
    result = CliRunner().invoke(app, [str(word) for word in words], input=stdin)
    code, stderr = result.exit_code, result.stderr_bytes or b""
    if isinstance(result.exception, PerfduckError):  # main() prints it
        code, line = USER_ERROR, f"perfduck: {visible(str(result.exception))}\n"
        stderr += line.encode()
    elif result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return subprocess.CompletedProcess([], code, result.stdout_bytes, stderr)


def run_text(words: Sequence[str | Path], stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    """The same, decoded."""
    done = run(words, stdin)
    return subprocess.CompletedProcess(
        [], done.returncode, done.stdout.decode(), done.stderr.decode()
    )
