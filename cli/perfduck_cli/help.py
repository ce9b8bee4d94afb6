"""What `--help` prints: commands and options by what they are for, and an example of each command.

    Recordings:
      ingest    Import recordings: ...

A command or an option has its group in COMMANDS or OPTIONS and a command an example in EXAMPLES;
what is in none of the groups comes last.
"""

from collections.abc import Iterable
from typing import Any, cast

from typer.core import TyperCommand, TyperGroup

from perfduck_cli.commands import LazyCommands
from perfduck_cli.plain_values import take_plain_values
from perfduck_cli.usage import refuse_empty_paths, refuse_repeated

ABOUT = (
    "Find which kernel code paths got more expensive, by how many ns per packet, and whether that"
    " is noise."
)
START = "Start with `perfduck demo`, or `perfduck ingest perf.data` and `perfduck top '*'`."

COMMANDS = {
    "Recordings": (
        "record",
        "ingest",
        "push",
        "profiles",
        "attach",
        "edit",
        "rm",
        "prune",
        "merge",
        "pull",
        "compact",
    ),
    "Questions": ("ab", "top", "diff", "compare", "trend", "sql", "export", "budget"),
    "Names and tags": ("tag", "explain", "symbols"),
    "Service": ("serve", "token", "mcp"),
    "More": ("noise", "demo", "completion"),
}
OPTIONS = {
    "What is run": ("command", "base", "new", "setup_base", "setup_new", "runs", "until_sure",
                    "most", "seconds", "ignore_failure"),
    "How it is recorded": ("freq", "perf_args", "netns"),
    "What is compared": ("base_from", "last", "budget", "tree", "per", "paired", "over", "order",
                         "repo", "least_growth", "allow_kernel_change", "tolerance", "inconclusive",
                         "exit"),
    "Which profiles and samples": ("where", "event", "skip", "until", "comm", "not_comm", "pid",
                                   "cpu", "dso", "subsystem", "cgroup", "netns", "not_netns", "pod",
                                   "not_pod"),
    "What the recording is": ("manifest", "name", "label", "work", "unit", "work_from", "attach",
                              "unlabel", "force"),
    "Names and tags": (
        "kallsyms", "vmlinux", "symbols", "host_files", "inline", "rules", "release",
    ),
    "Output": ("by", "limit", "format"),
    "Store": ("store", "spool", "wait"),
    "Access": ("listen", "anonymous", "tls_cert", "tls_key"),
    "Limits": ("memory", "max_upload", "job_memory", "job_timeout", "retention"),
}  # fmt: skip
EXAMPLES = {
    "record": (
        "perfduck record --runs 3 --label scenario=native -- iperf3 -c 10.1.1.2 -u -b 0 -l 64 -J",
        "perfduck record --seconds 10 --work-from netdev:eth0:rx_packets",
    ),
    "ab": (
        "perfduck ab --base 'iperf3 -c 10.1.1.2 -u -b 0 -l 64 -J' --new"
        " 'iperf3 -c 10.1.2.2 -u -b 0 -l 64 -J' --runs 5",
        "perfduck ab --base ./load --new ./load --setup-base 'nft flush ruleset'"
        " --setup-new 'nft -f rules' --until-sure",
    ),
    "ingest": (
        "perfduck ingest perf.data --label scenario=native",
        "perfduck ingest run1.data --work-from run1.json --kallsyms kallsyms",
        "perf script | perfduck ingest - --name run1 --work 1437900 --unit packet",
    ),
    "push": ("perfduck push spool --store http://host:8480",),
    "profiles": ("perfduck profiles", "perfduck profiles scenario=native,workload=crr"),
    "attach": ("perfduck attach 'docker0-nat.*' iptables=rules.txt conntrack=stat.txt",),
    "edit": ("perfduck edit run1 --name native.1 --work 1437900 --unit packet --label run=1",),
    "rm": ("perfduck rm 'native.*' --dry-run",),
    "prune": ("perfduck prune scenario=native --older-than 90d",),
    "merge": ("perfduck merge other.duckdb",),
    "pull": ("perfduck pull scenario=native --from lake:/mnt/fleet",),
    "compact": ("perfduck compact --store lake:/mnt/fleet --keep 1h",),
    "serve": ("perfduck serve --store perfduck.duckdb --listen 127.0.0.1:8480",),
    "token add": ("perfduck token add ci --scope push --label cluster=lab --expires 90d",),
    "token list": ("perfduck token list --store perfduck.duckdb",),
    "token revoke": ("perfduck token revoke ci",),
    "top": (
        "perfduck top run1 --by subsystem",
        "perfduck top scenario=native nf_hook_slow --by callers",
    ),
    "sql": ("""perfduck sql "select function, sum(weight) from hit group by all" --format csv""",),
    "export": (
        "perfduck export run1 > run1.folded",
        "perfduck export run1 --format html > run1.html",
    ),
    "diff": (
        "perfduck diff scenario=native scenario=docker0-nat --where workload=udp64",
        "perfduck diff 'base.*' 'change.*' --budget perfduck.toml --format markdown",
        "perfduck diff commit=$COMMIT --base-from branch=main --last 5",
    ),
    "compare": ("perfduck compare workload=udp64 --over scenario",),
    "trend": (
        "perfduck trend workload=udp64 --over commit",
        "perfduck trend scenario=native --over cni --by path --format html > trend.html",
    ),
    "tag": ("perfduck tag --kallsyms kallsyms --rules rules.toml",),
    "explain": ("perfduck explain __siphash_unaligned --release 6.18.44",),
    "mcp": ("perfduck mcp --store http://host:8480",),
    "demo": ("perfduck demo",),
    "completion": ('eval "$(perfduck completion bash)"',),
    "budget suggest": ("perfduck budget suggest scenario=native > perfduck.toml",),
    "noise list": ("perfduck noise list",),
    "noise forget": ("perfduck noise forget scenario=native", "perfduck noise forget --all"),
    "noise learn": ("perfduck noise learn scenario=native",),
    "symbols add": ("perfduck symbols add /usr/sbin/nginx",),
    "symbols list": ("perfduck symbols list",),
}


class Command(TyperCommand):
    """A command whose options are grouped, each typed once unless it takes several values."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse what would be ignored or taken for something else."""
        _take_plain_values(self.get_params(ctx))
        typed, _, order = self.make_parser(ctx).parse_args(args=list(args))
        rest = super().parse_args(ctx, args)
        if not ctx.resilient_parsing:  # of a shell that completes
            refuse_repeated(order)
            refuse_empty_paths(order, typed, ctx.params)
        return rest

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then the groups."""
        options = {}
        arguments = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record and parameter.param_type_name == "argument":
                arguments.append(record)
            elif record:
                options[parameter.name or ""] = record
        _section(formatter, "Arguments", arguments)
        for title, names in _grouped(OPTIONS, options, rest="Options"):
            _section(formatter, title, [options[name] for name in names])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Examples, a line each: as long as they are, so that they can be copied."""
        examples = EXAMPLES.get(_words(ctx), ())
        if examples:
            formatter.write_paragraph()
            formatter.write(f"Example{'s' if len(examples) > 1 else ''}:\n")
            formatter.write("".join(f"  {example}\n" for example in examples))


class Commands(TyperGroup):
    """Commands, grouped, with the first sentence of their help."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """What was typed in front of a command."""
        _take_plain_values(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The groups of the registry above; the commands of a group alone are in one."""
        groups = COMMANDS if self.name == "perfduck" else {}
        entries = cast(LazyCommands, self.commands).entries
        for title, members in _grouped(groups, entries, rest="Commands"):
            _section(formatter, title, [(name, entries[name].summary) for name in members])

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names; none is loaded."""
        return list(self.commands)


def _take_plain_values(parameters: Iterable[Any]) -> None:
    for each in parameters:
        take_plain_values(each)


def _words(ctx: Any) -> str:
    """What a user types after `perfduck`: `symbols add`."""
    return f"{_words(ctx.parent)} {ctx.info_name}".strip() if ctx.parent else ""


def _grouped(
    groups: dict[str, tuple[str, ...]], names: Iterable[str], rest: str
) -> list[tuple[str, list[str]]]:
    """Each name in the first group that has it and one that no other group has: --netns is how
    `record` records, and a filter of others."""
    there = list(names)
    listed_names = [name for members in groups.values() for name in members]
    listed: list[tuple[str, list[str]]] = []
    for title, members in groups.items():
        here = [name for name in members if name in there]
        is_here = any(listed_names.count(name) == 1 for name in here)
        before = {name for _, names in listed for name in names}
        listed.append((title, [name for name in here if is_here and name not in before]))
    return [*listed, (rest, [name for name in there if name not in listed_names])]


def _section(formatter: Any, title: str, rows: list[tuple[str, str]]) -> None:
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows, col_max=24)
