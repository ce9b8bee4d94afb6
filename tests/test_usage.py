"""What is typed wrong is said in one line with exit code 2, on every command alike."""

import re
import subprocess
import sys
from inspect import signature
from pathlib import Path
from typing import Any, get_args

import pytest
from test_help import leaves
from typer.testing import CliRunner

from perfduck_cli.commands import ENTRIES
from perfduck_cli.main import app
from perfduck_model.errors import PerfduckError

NO_NUMBERS = ("1_000", "nan", "inf", "-inf", "1e999", "\u0661\u0662", "0x10", "1,5", "", " ", "one")


def commands() -> list[tuple[tuple[str, ...], Any]]:
    """Every command: its words, and the parameters of its function."""
    found = []
    for name, entry in ENTRIES.items():
        members = {(name, sub): each for sub, each in entry.members.items()} or {(name,): entry}
        found += [(words, signature(each.function()).parameters) for words, each in members.items()]
    return found


def numbers() -> list[tuple[str, ...]]:
    """Every option that is a number, behind its command."""
    return [
        (*words, f"--{name.replace('_', '-')}")
        for words, parameters in commands()
        for name, parameter in parameters.items()
        if re.search("int|float", str(get_args(parameter.annotation)[:1]))
    ]


def line(*words: str) -> str:
    """The one line of a usage error, without the program's name."""
    result = CliRunner().invoke(app, words)
    said = result.stderr
    if isinstance(result.exception, PerfduckError):  # which main() prints
        said = f"perfduck: {result.exception}\n"
    else:
        assert result.exit_code == 2, result.output
    assert (result.stdout, said.count("\n")) == ("", 1)
    assert said.startswith("perfduck: ")
    return said.removeprefix("perfduck: ").rstrip("\n")


def test_every_number_is_found() -> None:
    assert {words for words, _ in commands()} == set(leaves())
    found = {words[-1] for words in numbers()}
    expected = {"--work", "--limit", "--pid", "--timeout", "--max-rows", "--runs", "--wait"}
    expected |= {"--seconds", "--freq", "--most", "--last"}
    serve = {"--memory", "--max-upload", "--job-memory", "--job-timeout"}
    assert found == {*expected, *serve, "--least-growth"}


@pytest.mark.slow
@pytest.mark.parametrize("words", numbers(), ids=" ".join)
def test_a_number_is_typed_in_ascii_digits(words: tuple[str, ...]) -> None:
    *command, option = words
    for text in NO_NUMBERS:
        said = line(*command, f"{option}={text}")
        assert said.startswith(f"{option}: expected a ")
        assert said.endswith(f"number, got {text or 'nothing'}") or f", got {text}" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["top", "x", "--limit", "0"], "--limit: expected a whole number from 1 to 1,000"),
        (["top", "x", "--wait", "-1"], "--wait: expected a number from 0 to 1,000,"),
        (["sql", "x", "--timeout", "0"], "--timeout: expected a number from 0.001 to 1,000"),
        (["sql", "x", "--max-rows", "-5"], "--max-rows: expected a whole number from 1 to"),
        (["diff", "a", "b", "--least-growth", "-1"], "--least-growth: expected a number of 0"),
        (["budget", "suggest", "x", "--runs", "1"], "--runs: expected a whole number from 2"),
        (["edit", "x", "--work", "-1"], "--work -1.0: expected a positive number"),
        (["edit", "x", "--work", "9e-10"], "--work 9e-10: expected a positive number, 1e-9"),
        (["edit", "x", "--work", "1e300"], "--work: expected a number of at most 1e18, got 1e300"),
        (["top", "x", "--pid", "1.5"], "--pid: expected a whole number from -1 to 2,147"),
        (["top", "x", "--cpu", "0-\u0663"], "--cpu 0-\u0663: expected CPUs like 0, 0-3"),
        (["top", "x", "--cpu", "0-99999999999"], "--cpu 0-99999999999: expected CPUs like"),
        (["top", "x", "--skip", "nan"], "--skip nan: expected a time like 1s or 500ms"),
        (["top", "x", "--skip", "1_0s"], "--skip 1_0s: expected a time like 1s or 500ms"),
        (["top", "x", "--until=-1s"], "--until -1s: expected a time like 1s or 500ms"),
        (["top", "x", "--until", "\u0661s"], "--until \u0661s: expected a time like 1s or 500ms"),
        (["diff", "a", "b", "--tolerance", "\u0665%"], "--tolerance \u0665%: expected a percent"),
        (["diff", "a", "b", "--tolerance", "1_0%"], "--tolerance 1_0%: expected a percent"),
        (["diff", "a", "b", "--tolerance", "inf%"], "--tolerance inf%: expected a percent"),
        (["budget", "suggest", "x", "--keep", "nan%"], "--keep nan%: expected a percent"),
        (["budget", "suggest", "x", "--keep", "95"], "--keep 95: expected a percentage like 95%"),
        (["budget", "suggest", "x", "--keep", "0.9"], "--keep 0.9: expected a percentage like 90%"),
        (["prune", "x", "--older-than", "\u0669d"], "--older-than \u0669d: expected an age"),
    ],
)  # fmt: skip
def test_a_number_means_something(words: list[str], said: str) -> None:
    assert said in line(*words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["top"], "missing argument 'selector' (usage: perfduck top [OPTIONS] {selector}"),
        (["diff", "a"], "expected BASE and NEW, or NEW and --base-from SELECTOR, got one selector"),
        (["dif", "a", "b"], "no such command 'dif'. Did you mean 'diff'? (see perfduck -h)"),
        (["symbols", "ad"], "no such command 'ad'. Did you mean 'add'? (see perfduck symbols -h)"),
        (["top", "x", "--limt", "3"], "no such option: --limt: did you mean --limit? (see"),
        (["diff", "a", "b", "--limit", "3"], "no such option: --limit (see perfduck diff -h)"),
        (["export", "a", "--formt", "x"], "no such option: --formt: did you mean --format? (see"),
        (["profiles", "--lmit", "3"], "no such option: --lmit (see perfduck profiles -h)"),
        (["record", "iperf3", "-c", "h"], "no such option: -c: those of the command to record"
         " follow --, as in perfduck record -- iperf3 -c HOST (see perfduck record -h)"),
        (["top", "x", "--limit"], "option '--limit' requires an argument"),
        (["top", "x", "--by", "functoin"], "--by: expected function, path, subsystem, class,"
         " direction, program, source, dso, comm, cgroup, netns, pod, traversal, callers or"
         " callees, got functoin. Did you mean function?"),
        (["top", "x", "--format", ""], "--format: expected text, markdown, csv or json, got"),
        (["completion"], "missing argument 'shell'. Choose from: bash, zsh, fish (usage:"),
        (["profiles", "x", "y"], "unexpected: y (usage: perfduck profiles [OPTIONS] [selector])"),
        (["top", "LICENSE", "f", "README.md", "bench", "cli", "docs"], "unexpected: README.md,"
         " bench, cli, ...: a glob needs quotes, as in 'native.*' (usage: perfduck top"),
        (["--stroe", "x"], "no such option: --stroe"),
        (["--store", "x", "profiles"], "no such option: --store: options follow their command,"
         " as in perfduck profiles --store PATH (see perfduck -h)"),
    ],
)  # fmt: skip
def test_a_usage_error_is_a_line(words: list[str], said: str) -> None:
    assert line(*words).startswith(said)


def test_a_group_without_a_command_shows_its_help() -> None:
    result = CliRunner().invoke(app, ["symbols"])
    assert result.exit_code == 2
    assert "Commands:\n  add " in result.stderr


def test_the_program_exits_with_2() -> None:
    program = Path(sys.executable).parent / "perfduck"
    done = subprocess.run([program, "top", "x", "--limit", "1_0"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "perfduck: --limit: expected a whole number from 1 to 1,000,000,000, got 1_0\n"
    )
