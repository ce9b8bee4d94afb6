"""What the README says to type is typed, in its order, in one store."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from recordings import FIXTURES, ROOT

README = (ROOT / "README.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines() if line]
QUERIES = blocks("sql")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    (folder / "fixtures").symlink_to(FIXTURES)
    return folder


def typed(command: str, place: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {key: value for key, value in os.environ.items() if key != "PERFDUCK_STORE"}
    return subprocess.run(
        ["bash", "-c", command], cwd=place, env=environment | {"PATH": path},
        capture_output=True, text=True,
    )  # fmt: skip


def test_every_command_of_the_readme_does_what_it_says(place: Path) -> None:
    assert len(COMMANDS) >= 10
    for command in COMMANDS:
        done = typed(command, place)
        # `diff` from native to docker0 is a regression, as the README says.
        assert (done.returncode, done.stderr) == (int("diff" in command), ""), command


@pytest.mark.parametrize("query", QUERIES, ids=range(1, len(QUERIES) + 1))
def test_every_query_of_the_readme_has_an_answer(query: str, place: Path) -> None:
    (place / "query.sql").write_text(query)
    done = typed("perfduck sql -f query.sql --format csv", place)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) >= 3


def test_there_are_ten_queries() -> None:
    assert len(QUERIES) == 10


def test_every_command_appears_in_the_readme() -> None:
    from perfduck_cli.main import app

    names = {command.name or command.callback.__name__ for command in app.registered_commands
             if command.callback}  # fmt: skip
    assert {name for name in names if f"perfduck {name}" not in README} == set()
