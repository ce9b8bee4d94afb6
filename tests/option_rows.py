"""Every option and argument of every command, as it may be typed, and what it changes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """`parameter`: of the command's function; `words`, `typed`: what is typed, {place} replaced;
    `store`: one of the folder's, or one that is not there."""

    command: str
    parameter: str
    words: str
    typed: str
    says: str
    store: str = "demo"
    refused: bool = False


def _shown(command: str, words: str, store: str, *rows: tuple[str, str]) -> list[Row]:
    """A row for each option that is typed and what it makes the command say."""
    return [Row(command, _parameter(t), words, t, says, store) for t, says in rows]


def _refused(command: str, words: str, store: str, *rows: tuple[str, str]) -> list[Row]:
    return [Row(command, _parameter(t), words, t, says, store, refused=True) for t, says in rows]


def _parameter(typed: str) -> str:
    """Of the function, by the last option that is typed."""
    option = [word for word in typed.split() if word.startswith("--")][-1]
    name = option.partition("=")[0].removeprefix("--no-host").removeprefix("--").replace("-", "_")
    return {"_files": "host_files", "-f": "file"}.get(name, name)


FILTERS = (
    ("--comm iperf3", ""),
    ("--not-comm iperf3", ""),
    ("--pid 0", ""),
    ("--cpu 0", ""),
    ("--dso *libc*", ""),
    ("--subsystem udp", ""),
    ("--not-pod [softirq]", ""),
    ("--skip 500ms", ""),
    ("--until 500ms", ""),
)
NO_FILTERS = (
    ("--event cycles", "cycles: expected an event"),
    ("--cgroup x", "expected samples with a cgroup for --cgroup x"),
    ("--netns 1", "expected samples with a netns for --netns 1"),
    ("--not-netns 1", "expected samples with a netns for --not-netns 1"),
    ("--pod default/web-0", "no sample with --pod default/web-0: there are [no cgroup]"),
    ("--where run=1 --where run=2", "expected"),
    ("--skip 2s --until 1s", "--until 1s: expected a time after --skip 2s"),
)
ASKED = {
    "top": "native.*",
    "export": "native.*",
    "diff": "native.* docker0-nat.*",
    "compare": "* --over scenario",
    "trend": "* --over scenario",
    "budget suggest": "native.*",
}
FILTERED = [
    row
    for command, words in ASKED.items()
    for row in (
        *_shown(command, words, "demo", *FILTERS),
        *_refused(command, words, "demo", *NO_FILTERS),
    )
] + [
    *_refused("budget suggest", "native.*", "demo", ("--where run=1", "expected two runs or more")),
    *(
        Row(command, "where", words, "--where run=1", "")
        for command, words in ASKED.items()
        if command != "budget suggest"
    ),
]
FIRST = [
    *_shown(
        "ingest",
        "{text}",
        "none",
        ("--name b", "b: 244 samples"),
        ("--attach note={tmp}/note", "note attached"),
        ("--rules {tmp}/rules.csv", "rules kept"),
        ("--symbols {elf}", "elf: no recorded binary is there"),
        ("--vmlinux {elf}/program", "program: no recorded binary is there"),
        ("--manifest {tmp}/runs.csv", "listed: "),
        ("--store {tmp}/text.duckdb", "a: already in the store"),
    ),
    *_refused(
        "ingest",
        "{text}",
        "none",
        ("--force", "--force: expected work"),
        ("--unit packet", "--unit packet: expected --work N"),
        ("--spool {tmp}/spool", "expected the URL of a server as --store"),
        ("--name b --name c", "--name: expected it once"),
        ("--host-files --no-host-files", "--host-files: expected it once"),
        ("--inline", "--inline: expected perf.data"),
        ("--rules=", "--rules: expected a path, got nothing"),
        ("--manifest {tmp}/runs.csv --name b", "--name b: expected one recording"),
        ("--manifest {tmp}/runs.csv --attach note={tmp}/note", "expected one recording to attach"),
        ("--manifest {tmp}/runs.csv --label run=2", "expected run=2 as --label says, got 1"),
        ("--manifest {tmp}/runs.csv --work 2", "expected 2 units as --work says, got 1 packet"),
        ("--work 2 --work-from {report}", "--work-from"),
    ),
    Row("ingest", "files", "", "{text}", "input: 244 samples", "none"),
    *_shown("ingest", "{broken}", "none", ("--lenient", "lines skipped")),
    *_shown("ingest", "{host} --name h", "none", ("--no-host-files", "has no name")),
    *_shown(
        "ingest",
        "{data}",
        "none",
        ("--kallsyms {kallsyms}", "kallsyms kept"),
    ),
]
SECOND = [
    *_shown(
        "ingest",
        "{text}",
        "text",
        ("--name b", "b: already in the store; renamed from a"),
        ("--label k=v", "; label k=v added"),
        ("--work 5", "; work is 5 units"),
        ("--work 5 --unit packet", "; work is 5 packets"),
        ("--work-from {report}", "; work is 2,168,120 packets"),
        ("--kernel 6.18.44", "; kernel is 6.18.44"),
        ("--attach note={tmp}/note", "; note attached"),
        ("--rules {tmp}/rules.csv", "; rules kept (perfduck tag applies them"),
        ("--symbols {elf}", "elf: no better names in it"),
        ("--vmlinux {elf}/program", "program: no better names in it"),
        ("--manifest {tmp}/runs.csv", "; renamed from a"),
    ),
    *_refused("ingest", "{text}", "text", ("--force", "--force: expected work")),
    *_shown("ingest", "{folded}", "none", ("--event cpu-clock", "109 samples")),
    *_refused("ingest", "{text}", "none", ("--event x=us", "--event: expected folded stacks")),
    *_shown("ingest", "{native} --work 5", "demo", ("--force", "; work is 5 packets (was")),
    *_shown("ingest", "{data}", "unnamed", ("--symbols {symfs}", "; resolved again")),
    *_shown(
        "ingest",
        "{data}",
        "data",
        ("--kallsyms {kallsyms}", "; kallsyms kept"),
        ("--vmlinux {vmlinux}", "no better names in it"),
    ),
]
ARGUMENTS = (
    ("top", "selector", "native.*"),
    ("export", "selector", "native.*"),
    ("compare", "selector", "* --over scenario"),
    ("trend", "selector", "* --over scenario"),
    ("diff", "base", "native.* docker0-nat.*"),
    ("diff", "new", "native.* docker0-nat.*"),
    ("budget suggest", "selector", "native.*"),
    ("explain", "symbol", "udp_sendmsg"),
    ("edit", "selector", "native.udp64.1 --name b"),
    ("rm", "selector", "native.udp64.1"),
    ("prune", "selector", "* --older-than 9999d"),
    ("attach", "selector", "native.udp64.1 note={tmp}/note"),
    ("attach", "files", "native.udp64.1 note={tmp}/note"),
    ("merge", "stores", "{tmp}/text.duckdb"),
    ("completion", "shell", "bash"),
    ("noise learn", "selector", "native.*"),
    ("noise forget", "selector", "native.*"),
    ("symbols add", "places", "{spin} --dso /usr/sbin/x"),
)
OF_THE_SERVER = {"serve", "token", "push", "mcp"}  # tests/server tries their options
OF_LAKES = {"pull", "compact"}  # tests/lake tries theirs
ENOUGH = {
    **{command: words for command, _, words in ARGUMENTS if command != "completion"},
    "ingest": "{text}",
    "record": "{load}",
    "ab": "--base {load} --new {load}",
    "profiles": "",
    "sql": "--file {tmp}/rows.sql",
    "tag": "",
    "demo": "",
    "noise list": "",
    "symbols list": "",
}
QUESTIONS = [
    *(
        Row(command, name, "", words, "", "noise" if command == "noise forget" else "demo")
        for command, name, words in ARGUMENTS
    ),
    *_shown("top", "native.*", "demo", ("--by comm", "swapper"), ("--limit 3", "3 of ")),
    *_shown("top", "native.*", "demo", ("--by class", "data_copy")),
    *_shown("top", "native.*", "demo", ("--format json", '"function"')),
    *(
        Row(command, "engine", words, "--engine sc://host:15002", "expected lake:", refused=True)
        for command, words in (
            ("top", "native.*"), ("diff", "native.udp64.* docker0-nat.udp64.*"),
            ("compare", "* --over scenario"), ("sql", "select\u00a01"), ("export", "native.*"),
            ("trend", "* --over scenario"), ("budget suggest", "native.udp64.*"),
        )
    ),
    Row("top", "function", "* --by callees", "udp_sendmsg", "of udp_sendmsg"),
    Row("top", "function", "*", "udp_sendmsg", "udp_sendmsg: expected --by callers", refused=True),
    *_refused("top", "native.*", "demo", ("--by callers", "--by callers: expected a function")),
    *_refused("top", "native.*", "demo", ("--limit 3 --limit 5", "--limit: expected it once")),
    *_shown("export", "native.*", "demo", ("--format html", "<html")),
    *_shown(
        "export",
        "native.udp64.*",
        "demo",
        ("--base docker0-nat.udp64.*", "weights are in ps/packet"),
        ("--per-work", "weights are in ps/packet"),
    ),
    *_refused(
        "export",
        "native.*",
        "demo",
        ("--base native.udp64.1", "expected different profiles in base and new"),
    ),
    *_refused("export", "a", "text", ("--per-work", "expected the work of all profiles of a")),
    Row("export", "format", "native.*", "--format html --limit 3", "no such option: --limit",
        refused=True),
    *_shown(
        "diff",
        "native.* docker0-nat.*",
        "demo",
        ("--budget {tmp}/budget.toml", "budget"),
        ("--tree path", ""),
        ("--by subsystem", ""),
        ("--by class", "class (self)"),
        ("--per share", ""),
        ("--paired", ""),
        ("--least-growth 9999", ""),
        ("--explain", "8 of 10 comparisons in which nothing grew"),
        ("--format markdown", "12 of "),
        ("--format markdown --by function", "<details open>"),
    ),
    *_shown("diff", "native.udp64.1 native.udp64.2", "demo", ("--inconclusive pass", "")),
    *_shown("diff", "docker0-nat.* native.*", "demo", ("--tolerance 80%", "80 %")),
    *_shown("diff", "native.* other", "kernels", ("--allow-kernel-change", "")),
    *_shown("diff", "native.udp64.1", "demo", ("--base-from native.*", "is the newest 1 of 1")),
    *_refused("diff", "native.udp64.1 --base-from *", "demo",
              ("--last 0", "--last: expected a whole number from 1")),
    *_shown("diff", "native.udp64.1 native.udp64.2", "demo", ("--exit bisect", "git bisect skips")),
    *_refused(
        "diff",
        "native.* docker0-nat.*",
        "demo",
        ("--budget {tmp}/budget.toml --tolerance 9%", "--tolerance 9%: expected no --budget"),
        ("--where run=1 --paired", "--paired: expected 2 runs a side"),
        *((f"--format {kind} --explain", "--explain: expected --format text")
          for kind in ("json", "markdown", "junit", "html")),
        *((f"--format {kind} --by path", "--by path: expected text")
          for kind in ("json", "junit")),
        ("--budget=", "--budget: expected a path, got nothing"),
        ("--last 3", "--last 3: expected --base-from, got none"),
        ("--base-from *", "--base-from *: expected NEW alone beside it"),
    ),
    *_refused("diff", "docker0-nat.*", "demo",
              ("--base-from native.*", "expected a run like those of new (scenario docker0-nat")),
    *_shown("compare", "*", "demo", ("--over scenario", "What each step adds")),
    *_shown(
        "compare",
        "* --over scenario",
        "demo",
        ("--order docker0-nat,native", "docker0-nat -> native"),
        ("--by class", "by class, self weight"),
        ("--format json", '"groups"'),
    ),
    *_shown("trend", "*", "demo", ("--over scenario", "by scenario (label scenario)")),
    *_shown(
        "trend",
        "* --over scenario",
        "demo",
        ("--by path", " > "),
        ("--by class", "data_copy"),
        ("--by total", ""),
        ("--format csv", "time,scenario,runs,unit,total"),
    ),
    *_refused(
        "trend",
        "* --over scenario",
        "demo",
        ("--repo {tmp}", "expected --over commit, got scenario"),
        ("--by area", "--by: expected total, subsystem, class, direction"),
        ("--repo=", "--repo: expected a path, got nothing"),
    ),
    *_refused("compare", "* --over scenario", "demo", ("--order=", "--order : expected values")),
    *_shown("budget suggest", "native.*", "demo", ("--keep 50%", "50 %"),
            ("--runs 3", "of 3 like")),
    *_shown("profiles", "", "demo", ("--format csv", "name,")),
    Row("profiles", "selector", "", "native.udp64.1", ""),
    Row("sql", "query", "", "select\u00a01", "1"),
    *_shown("sql", "--file {tmp}/q.sql", "demo", ("--param x=7", "7")),
    *_shown("sql", "--file {tmp}/rows.sql", "demo", ("--format csv", "")),
    *_shown("sql", "", "demo", ("--file {tmp}/rows.sql", "998")),
    *_refused(
        "sql",
        "--file {tmp}/rows.sql",
        "demo",
        ("--max-rows 9", "at most 9 rows (--max-rows N)"),
        ("--param x=7", "--param x"),
        ("--param x=7 --param x=8", "--param x=8: expected one value of x"),
    ),
    *_refused("sql", "--file {tmp}/slow.sql", "demo",
              ("--timeout 0.01", "stopped after 0.01 s (--timeout")),
    *_shown("explain", "udp_sendmsg", "demo", ("--format json", '"subsystem"'),
            ("--release 5.10.0", "5.10"), ("--rules {tmp}/rules.csv", "our_udp"),
            ("--dso /usr/sbin/x", "user space")),
    *_shown("explain", "__do_sys_fork", "demo", ("--kallsyms {kallsyms}", "__x64_sys_fork")),
    *_refused("explain", "udp_sendmsg", "demo",
              ("--vmlinux {elf}/program", "program: expected the binary [kernel.kallsyms]"),
              ("--symbols {elf}/net", "net: expected the binary [kernel.kallsyms]")),
    *_refused("explain", "main --dso /usr/sbin/x", "demo",
              ("--release 5.10.0", "--release 5.10.0: expected a function of the kernel"),
              ("--kallsyms {kallsyms}", ": expected a function of the kernel"),
              ("--vmlinux {vmlinux}", ": expected a function of the kernel"),
              ("--dso=", "--dso: expected")),
]  # fmt: skip
CARE = [
    *_shown(
        "tag",
        "",
        "demo",
        ("--rules {tmp}/rules.csv", "(rules"),
        ("--symbols {elf}/net", "no recorded binary is there"),
        ("--vmlinux {elf}/program", "no recorded binary is there"),
    ),
    *_shown("tag", "", "data", ("--kallsyms {kallsyms}", "(kallsyms")),
    *_shown("tag", "", "kept", ("--forget-rules", ""), ("--forget-kallsyms", "")),
    *_refused(
        "tag",
        "",
        "demo",
        ("--forget-rules", "--forget-rules: expected rules that"),
        ("--forget-kallsyms", "--forget-kallsyms: expected kallsyms that"),
        ("--rules {tmp}/rules.csv --forget-rules", "--forget-rules: expected no --rules"),
    ),
    *_shown(
        "edit",
        "native.udp64.1",
        "demo",
        ("--name b", "renamed from native.udp64.1"),
        ("--work 5", "work is 5 "),
        ("--work 5 --unit kick", "work is 5 kicks"),
        ("--label k=v", "label k=v added"),
        ("--unlabel run", "label run"),
    ),
    *_refused("edit", "native.*", "demo", ("--name b", "--name b: expected one profile"),
              ("--unit kick", "--unit kick: expected --work"),
              ("--unlabel k", "--unlabel k: expected a label")),
    *_shown("rm", "native.udp64.1", "demo", ("--dry-run", "")),
    *_shown("prune", "*", "demo", ("--older-than 9999d", "")),
    *_shown("prune", "* --older-than 0h", "demo", ("--dry-run", "")),
    *_refused("noise learn", "native.*", "demo", ("--event cycles", "cycles: expected an event"),
              ("--event=", "--event: expected an event")),
    *_shown("noise list", "", "demo", ("--format csv", "host_class")),
    *_shown("noise forget", "", "noise", ("--all", "forgot workload")),
    *_refused("noise forget", "native.*", "noise", ("--all", "got both")),
    *_shown("symbols list", "", "demo", ("--format csv", "dso")),
    *_shown("symbols add", "{spin}", "demo", ("--dso /usr/sbin/x", "/usr/sbin/x: ")),
    *_refused("symbols add", "{spin}", "demo", ("--dso=", "--dso: expected a name")),
]  # fmt: skip
_AB = "--base {load} --new {new_load} --name x"
_SAME_FOR_BOTH = (
    ("--label k", "--label k: expected key=value"),
    ("--event refused", "perf record: event syntax error: 'refused'"),
    ("--perf-args refused", "perf record: event syntax error: 'refused'"),
    ("--freq 0", "--freq: expected a whole number"),
    ("--seconds 0", "--seconds: expected a number"),
    ("--unit packet", "--unit packet: expected --work N"),
    ("--work-from netdev:lo", "expected netdev:DEVICE:COUNTER"),
    ("--netns none", "--netns none: expected a network namespace"),
)
RECORDED = [
    *_shown("record", "{load}", "none", ("--name r", "r: "), ("--runs 2 --name r", "r.2: ")),
    *_shown("record", "{load}", "none", ("--runs 2", ".2: "), ("--work 7", "work is 7 units"),
            ("--work 7 --unit packet", "work is 7 packets")),
    *_shown("record", "", "none", ("--seconds 0.1", "sleep.")),
    *_shown("record", "{tmp}/fails", "none", ("--ignore-failure", " samples, ")),
    Row("record", "command", "--name r", "{load}", "r: 3", "none"),
    *_refused("record", "{load}", "none", *_SAME_FOR_BOTH,
              ("--spool {tmp}/spool", "expected the URL of a server as --store")),
    Row("ab", "base", "--new {new_load} --name x --runs 5", "--base {load}", "deep", "none"),
    Row("ab", "new", "--base {load} --name x --runs 5", "--new {new_load}", "deep", "none"),
    *_shown("ab", _AB, "none", ("--runs 2", "2 pairs are stored"),
            ("--until-sure", "of at most 16 pairs"), ("--work 7", "units/s")),
    *_shown("ab", f"{_AB} --until-sure", "none", ("--most 5", "of at most 5 pairs")),
    *_shown("ab", f"{_AB} --runs 2", "none", ("--budget {tmp}/budget.toml", "budget"),
            ("--tolerance 90%", "90 %"), ("--format json", '"unit"')),
    *_shown("ab", f"{_AB} --runs 1", "none", ("--inconclusive pass", "")),
    *_shown("ab", "--base {load} --new {new_load} --runs 2", "none", ("--name x", "ab=x")),
    *_shown("ab", "--base {tmp}/fails --new {tmp}/fails --name x --runs 1", "none",
            ("--ignore-failure", "1 pair is stored")),
    *_refused("ab", _AB, "none", *_SAME_FOR_BOTH,
              ("--setup-base {tmp}/fails", "expected exit status 0, got 3"),
              ("--setup-new {tmp}/fails", "expected exit status 0, got 3"),
              ("--most 3", "--most 3: expected --until-sure"),
              ("--until-sure --runs 6 --most 5", "--runs 6: expected 5 pairs or fewer before the"),
              ("--until-sure --most 4", "--most 4: expected 5 pairs or more"),
              ("--until-sure --runs 3", "--runs 3: expected 7 pairs or more"),
              ("--label side=left", "--label side=left: expected another label")),
    *_refused("ab", f"{_AB} --runs 5", "none", ("--comm none", "no sample with --comm none")),
]  # fmt: skip
ROWS = [*RECORDED, *FILTERED, *FIRST, *SECOND, *QUESTIONS, *CARE]
