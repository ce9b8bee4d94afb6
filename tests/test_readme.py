"""What the README and its pages say to type is typed, in their order, in one store."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from recordings import FIXTURES, ROOT

from perfduck_cli.commands import ENTRIES

pytestmark = pytest.mark.slow

README = "".join((ROOT / page).read_text() for page in ("README.md", "docs/sql.md"))


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines() if line]
QUERIES = blocks("sql")


@pytest.fixture(scope="module")
def answers(empty: Path) -> list[subprocess.CompletedProcess[str]]:
    """What the commands of the README print, one after the other."""
    return [typed(command, empty) for command in COMMANDS]


@pytest.fixture
def place(empty: Path, answers: list[subprocess.CompletedProcess[str]]) -> Path:
    """The folder in which they were typed."""
    return empty


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
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


def test_every_command_of_the_readme_does_what_it_says(
    answers: list[subprocess.CompletedProcess[str]],
) -> None:
    assert len(COMMANDS) >= 10
    for command, done in zip(COMMANDS, answers, strict=True):
        # `diff` from native to docker0 is a regression, as the README says; ingest notes limits.
        notes = [line for line in done.stderr.splitlines() if "has no name" not in line]
        assert (done.returncode, notes) == (int("diff" in command), []), command


@pytest.mark.parametrize("query", QUERIES, ids=range(1, len(QUERIES) + 1))
def test_every_query_of_the_readme_has_an_answer(query: str, place: Path) -> None:
    (place / "query.sql").write_text(query)
    done = typed("perfduck sql -f query.sql --format csv", place)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) >= 3


def test_what_the_readme_says_of_nat_is_what_diff_says(place: Path) -> None:
    done = typed(
        "perfduck diff scenario=native scenario=docker0-nat --where workload=udp64 --format json",
        place,
    )
    answer = json.loads(done.stdout)
    delta = {row["subsystem"]: row["delta"] for row in answer["subsystems"]}
    total = round(answer["total"]["delta"])
    nat, conntrack = round(delta["nat"]), round(delta["conntrack"])
    bridge = round(delta["bridge"] + delta["br_netfilter"])
    said = " ".join(README.split())
    assert f"Of the {total:,} ns that a 64-byte packet costs more" in said
    assert f"NAT itself is {nat}, connection tracking {conntrack}" in said
    assert f"the bridge with its netfilter hooks {bridge}" in said


def test_what_the_demo_says_to_try_works_as_printed(tmp_path: Path) -> None:
    untouched = tmp_path / "mine.duckdb"
    done = typed(f"export PERFDUCK_STORE={untouched}; perfduck demo", tmp_path)
    assert done.returncode == 0
    assert not untouched.exists()
    lines = done.stdout.partition("Now try:\n\n")[2].splitlines()
    setup = [line for line in lines if line.startswith("  export ")]
    commands = [line for line in lines if line.startswith("  perfduck ")]
    assert len(setup) + len(commands) == len(lines) >= 6
    for command in commands:
        done = typed("\n".join([*setup, command]), tmp_path)
        assert (done.returncode, done.stderr) == (int("diff" in command), ""), command


def test_links_of_the_pages_lead_somewhere() -> None:
    for page in ("README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))):
        text = (ROOT / page).read_text()
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert (ROOT / page).parent.joinpath(target).exists(), (page, target)


def test_there_are_ten_queries() -> None:
    assert len(QUERIES) == 10


def test_every_command_appears_in_the_readme() -> None:
    assert {name for name in ENTRIES if f"perfduck {name}" not in README} == set()
