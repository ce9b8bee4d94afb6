"""`--help`: grouped, with an example of every command, nothing cut."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from perfduck_cli import help as help_texts
from perfduck_cli.commands import ENTRIES
from perfduck_cli.main import app

ROOT = typer.main.get_command(app)
PROGRAM = Path(sys.executable).parent / "perfduck"


def leaves() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, command in ROOT.commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        found += [(name, sub) for sub in below] if below else [(name,)]
    return found


def shown(*words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0
    return result.stdout


def sentences(words: tuple[str, ...]) -> list[str]:
    """What the help of a command is made of."""
    command = ROOT
    for word in words:
        command = command.commands[word]  # type: ignore[attr-defined]
    below = getattr(command, "commands", {}).values()
    summaries = [(other.help or "").partition(". ")[0].partition("\n\n")[0] for other in below]
    return [*(parameter.help or "" for parameter in command.params), *summaries]


@pytest.mark.parametrize("words", [(), *leaves()], ids=" ".join)
def test_help_is_whole_and_fits_80_columns(words: tuple[str, ...]) -> None:
    text = shown(*words)
    whole = " ".join(text.split())
    for said in sentences(words):
        assert " ".join(said.split()) in whole
    lines = [line for line in text.splitlines() if not line.startswith("  perfduck ")]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("words", leaves(), ids=" ".join)
def test_every_command_has_examples_that_it_understands(words: tuple[str, ...]) -> None:
    examples = help_texts.EXAMPLES.get(" ".join(words), ())
    assert examples, f"no example of {words} in help.EXAMPLES"
    text = shown(*words)
    for example in examples:
        assert f"\n  {example}\n" in text
        typed = example.removeprefix('eval "$(').removesuffix(')"')
        for part in typed.split(" | "):
            arguments = shlex.split(part.partition(" > ")[0])
            if arguments[0] == "perfduck":
                understood(arguments[1:])


def understood(arguments: list[str]) -> None:
    command = ROOT
    while hasattr(command, "commands"):
        command = command.commands[arguments.pop(0)]
    command.make_context(command.name, arguments)


def test_every_command_and_option_has_a_group() -> None:
    members = {name for names in help_texts.COMMANDS.values() for name in names}
    assert {words[0] for words in leaves()} <= members


def test_the_list_of_commands_has_the_first_sentence_of_each() -> None:
    for words in leaves():
        entry, command = ENTRIES[words[0]], ROOT.commands[words[0]]  # type: ignore[attr-defined]
        if words[1:]:
            entry, command = entry.members[words[1]], command.commands[words[1]]
        first = " ".join(command.help.split("\n\n")[0].split()).partition(". ")[0].rstrip(".")
        assert entry.summary == f"{first}."


def test_the_list_of_commands_loads_none_of_them() -> None:
    code = (
        "import sys; from perfduck_cli.main import app; app(['--help'], standalone_mode=False);"
        "sys.stderr.write(str([m for m in sys.modules if m.endswith(('_commands', 'polars'))]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]"


def test_short_help_and_version() -> None:
    run = CliRunner().invoke
    assert run(app, ["-h"]).stdout == shown()
    assert run(app, ["diff", "-h"]).stdout == shown("diff")
    assert run(app, ["--version"]).stdout.startswith("perfduck 0.")


def completed(line: str) -> set[str]:
    """What bash offers for the last word of a line."""
    script = f"""
        source <(perfduck completion bash)
        COMP_WORDS=({line}); COMP_CWORD={len(line.split()) - 1}
        _perfduck_completion perfduck
        echo "${{COMPREPLY[@]}}"
    """
    path = f"{PROGRAM.parent}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True,
                          env=os.environ | {"PATH": path})  # fmt: skip
    return set(done.stdout.split())


@pytest.mark.slow
def test_bash_completes_commands_options_and_values() -> None:
    assert completed("perfduck di") == {"diff"}
    assert "--where" in completed("perfduck diff a b --w")
    assert completed("perfduck top x --by sub") == {"subsystem"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script(shell: str) -> None:
    script = CliRunner().invoke(app, ["completion", shell]).stdout
    assert "_PERFDUCK_COMPLETE" in script
