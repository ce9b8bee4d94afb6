"""Which commands there are, where each is, and what `--help` says of it in a line.

A command's module is loaded when the command runs or its own help is asked for. To add a command,
write a function, give it a line here and an example in help.py.
"""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from msgspec import Struct, field

from perfduck_cli.engine_note import with_engine_note
from perfduck_cli.waiting import with_wait


class CommandEntry(Struct, frozen=True):
    """The first sentence of a command's help, and its function as module:function; of a group of
    commands its members."""

    summary: str
    place: str = ""
    members: "Mapping[str, CommandEntry]" = field(default_factory=dict)

    def function(self) -> Callable[..., None]:
        """The command's function, its module loaded, with the option --wait where it takes one, and
        a line where it does not use the engine of the environment."""
        module, _, name = self.place.partition(":")
        function: Callable[..., None] = getattr(import_module(f"perfduck_cli.{module}"), name)
        return with_wait(with_engine_note(function))


ENTRIES = {
    "ingest": CommandEntry(
        "Import recordings: perf.data, perf script text, OProfile, pprof, folded stacks.",
        "ingest_commands:ingest",
    ),
    "record": CommandEntry(
        "Run a command under perf, and store the recording with its work and the system's state.",
        "record_commands:record",
    ),
    "ab": CommandEntry(
        "Record two commands in turns, in random order, and report what grew from one to the"
        " other.",
        "record_commands:ab",
    ),
    "push": CommandEntry(
        "Send recordings that could not be sent at ingest, and remove those that arrived.",
        "push_command:push",
    ),
    "attach": CommandEntry(
        "Attach files to stored profiles: the rules their packets met, counters.",
        "ingest_commands:attach",
    ),
    "profiles": CommandEntry("List the profiles in the store.", "query_commands:profiles"),
    "top": CommandEntry(
        "Rank what is hot: self, total and blamed, per unit of work where the work is known.",
        "query_commands:top",
    ),
    "sql": CommandEntry(
        "Run read-only SQL over the store: one statement, within limits of time, rows and memory.",
        "query_commands:sql",
    ),
    "export": CommandEntry(
        "Export the stacks for other tools: folded, pprof, firefox, ..., or a page.",
        "query_commands:export",
    ),
    "diff": CommandEntry(
        "Report what grew from BASE to NEW per unit of work, and whether it is noise.",
        "diff_commands:diff",
    ),
    "compare": CommandEntry(
        "Compare several groups, and report what each step adds to each subsystem.",
        "diff_commands:compare",
    ),
    "trend": CommandEntry(
        "Show costs over commits, time or a label, and where and with what their level changed.",
        "trend_command:trend",
    ),
    "tag": CommandEntry(
        "Tag all symbols and blame all stacks again, with your rules first.", "symbol_commands:tag"
    ),
    "explain": CommandEntry(
        "Explain why a function has its tag: source file, method, rule, and the alternatives.",
        "symbol_commands:explain",
    ),
    "edit": CommandEntry(
        "Change the name, work or labels of stored profiles.",
        "store_commands:edit",
    ),
    "rm": CommandEntry(
        "Remove profiles and shrink the store file, without asking.", "store_commands:rm"
    ),
    "prune": CommandEntry(
        "Remove the profiles older than an age, without asking.",
        "store_commands:prune",
    ),
    "merge": CommandEntry(
        "Add what other stores have and this one lacks; nothing here changes.",
        "store_commands:merge",
    ),
    "pull": CommandEntry(
        "Take recordings of a lake into a store, where questions are answered faster.",
        "store_commands:pull",
    ),
    "compact": CommandEntry(
        "Make few large parts of the many small ones of a lake; delete what nobody needs.",
        "store_commands:compact",
    ),
    "serve": CommandEntry(
        "Serve the store over HTTP: to hosts that push, to browsers, to the command line.",
        "serve_command:serve",
    ),
    "token": CommandEntry(
        "Tokens: who may push to a server, read, run SQL or administer it.",
        members={
            "add": CommandEntry(
                "Make a token for a server of the store, and print it: it is shown this once.",
                "token_commands:add",
            ),
            "list": CommandEntry(
                "List the tokens of the store; none can be shown again.", "token_commands:listed"
            ),
            "revoke": CommandEntry(
                "Revoke a token: a server that runs refuses it from now on.",
                "token_commands:revoke",
            ),
        },
    ),
    "mcp": CommandEntry(
        "Answer agents over any store: Model Context Protocol on standard input and output.",
        "mcp_command:mcp",
    ),
    "demo": CommandEntry(
        "Ingest the recordings that come with perfduck; compare native networking with docker0.",
        "demo_command:demo",
    ),
    "completion": CommandEntry(
        "Print a completion script for your shell.", "completion:completion"
    ),
    "noise": CommandEntry(
        "What is known about the spread between runs.",
        members={
            "learn": CommandEntry(
                "Learn from runs of the same thing how far they differ.", "diff_commands:learn"
            ),
            "list": CommandEntry(
                "List what was learned of the spread between runs.", "diff_commands:list_noise"
            ),
            "forget": CommandEntry(
                "Forget what was learned of the spread between runs.", "diff_commands:forget_noise"
            ),
        },
    ),
    "budget": CommandEntry(
        "Budgets for `diff --budget`.",
        members={
            "suggest": CommandEntry(
                "Print a budget file that like runs keep, and the growth that each budget finds.",
                "diff_commands:suggest",
            )
        },
    ),
    "symbols": CommandEntry(
        "ELF files that name addresses and source files.",
        members={
            "add": CommandEntry(
                "Keep the functions of ELF files in the store; `perfduck tag` then uses them.",
                "symbol_commands:add",
            ),
            "list": CommandEntry(
                "List the binaries whose functions are in the store.", "symbol_commands:listed"
            ),
        },
    ),
}


class LazyCommands(Mapping[str, Any]):
    """Commands by name, each made when it is first asked for."""

    def __init__(
        self, entries: Mapping[str, CommandEntry], command: type[Any], group: type[Any]
    ) -> None:
        """`command`, `group`: the classes that they are made of."""
        self.entries = entries
        self._command, self._group = command, group
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._make(name, self.entries[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def _make(self, name: str, entry: CommandEntry) -> Any:
        if entry.members:
            members = LazyCommands(entry.members, self._command, self._group)
            return self._group(
                name=name,
                help=entry.summary,
                commands=members,
                no_args_is_help=True,
                rich_markup_mode=None,
            )
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(name=name, cls=self._command)(entry.function())
        return typer.main.get_command(alone)
