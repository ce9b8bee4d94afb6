"""Trouble with standard streams is an error of the environment (2), a bug has a code of its own
(70): neither looks like a regression (1)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from recordings import FIXTURES
from rows import mostly_slow

pytestmark = pytest.mark.slow

RECORDING = FIXTURES / "perf_script" / "fields-pid" / "input.txt.xz"


def run(
    code: str, redirection: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = f'"{sys.executable}" -c "{code}" {redirection}'
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        text=True,
        env=os.environ | (env or {}),
    )


def perfduck(arguments: str, redirection: str = "") -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.argv[1:] = '{arguments}'.split(); "
    return run(code + "from perfduck_cli.main import main; main()", redirection)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("streams") / "s.duckdb"
    assert perfduck(f"ingest {RECORDING} --name p --store {path}").returncode == 0
    return path


@pytest.mark.parametrize(
    ("redirection", "reason"),
    [
        (">/dev/full", "No space left on device"),
        (">&-", "Bad file descriptor"),
        ("| true", "Broken pipe"),
    ],
)
@pytest.mark.parametrize(
    "arguments",
    [
        "top p",
        *(
            pytest.param(each, marks=pytest.mark.slow)
            for each in (
                "export p",
                "export p --format html",
                "sql table/**/sample --format parquet",
            )
        ),
    ],
)
def test_an_answer_that_cannot_be_written_is_a_line_and_exit_2(
    store: Path, arguments: str, redirection: str, reason: str
) -> None:
    done = perfduck(f"{arguments} --store {store}", redirection)
    line = f"perfduck: standard output: expected to write the whole answer, got {reason}\n"
    assert (done.returncode, done.stderr) == (2, line)


@pytest.mark.parametrize("redirection", mostly_slow(["<&-", "2>&-", "<&- 2>&-"], 3))
def test_other_streams_may_be_closed(store: Path, redirection: str) -> None:
    done = perfduck(f"top p --store {store}", redirection)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("p: ")


def test_standard_input_that_is_closed_is_no_recording(store: Path) -> None:
    done = perfduck(f"ingest - --store {store}", "<&-")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("raised", "code", "last"),
    [
        (
            "ValueError('x')",
            70,
            "perfduck: this is a bug, please report it with the lines above and the command",
        ),
        (
            "EOFError('x')",
            70,
            "perfduck: this is a bug, please report it with the lines above and the command",
        ),
        ("OSError(28, 'No space left on device', 'f')", 2, "perfduck: f: No space left on device"),
        ("OSError(32, 'Broken pipe')", 2, "perfduck: the system: Broken pipe"),
        ("MemoryError()", 2, "perfduck: expected more memory, got all there is"),
        ("KeyboardInterrupt()", 130, ""),
    ],
)
def test_no_exception_looks_like_a_verdict(raised: str, code: int, last: str) -> None:
    program = f"""
import sys, types
from perfduck_cli import commands, main
def broken() -> None:
    raise {raised}
sys.modules['perfduck_cli.broken'] = module = types.ModuleType('broken')
module.broken = broken
commands.ENTRIES['broken'] = commands.CommandEntry('', 'broken:broken')
sys.argv[1:] = ['broken']
main.main()
"""
    done = run(program)
    assert done.returncode == code
    assert done.stderr.splitlines()[-1:] == ([last] if last else [])
    assert ("Traceback" in done.stderr) == (code == 70)


def test_characters_that_the_encoding_lacks_are_shown(store: Path) -> None:
    code = (
        f"import sys; sys.argv[1:] = 'top p --store {store}'.split(); "
        "from perfduck_cli.main import main; main()"
    )
    done = run(code, env={"PYTHONIOENCODING": "latin-1"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u2500" in done.stdout
