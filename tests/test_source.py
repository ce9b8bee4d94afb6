"""Recordings are read in parts, from files and pipes."""

import subprocess
import sys


def test_what_comes_through_a_pipe_in_small_pieces_is_whole() -> None:
    writer = "import os; [os.write(1, b'entry %d\\n' % n) for n in range(2000)]"
    reader = (
        "import sys; from perfduck_ingest.source import Source; "
        "sys.stdout.buffer.writelines(Source('-').chunks(1000))"
    )
    with subprocess.Popen([sys.executable, "-c", writer], stdout=subprocess.PIPE) as writing:
        done = subprocess.run(
            [sys.executable, "-c", reader], stdin=writing.stdout, capture_output=True
        )
    assert done.stdout == b"".join(b"entry %d\n" % number for number in range(2000))
