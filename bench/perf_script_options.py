"""Every -F set and option of perf script, on recordings: what is read against a slow reader.

    python bench/perf_script_options.py recording.data... [--keep DIR] [--failures]

Prints a table in Markdown: for each recording the texts that perf printed, how many of them were
read right, and which were not and why. Texts longer than 3,000 lines are cut behind a sample. With
--keep, a text of each distinct form goes to DIR with what was asked of perf, for the tests.
"""

import argparse
import io
import json
import lzma
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "perf_script")]

import option_texts  # noqa: E402
from option_texts import Text  # noqa: E402

_MOST_LINES = 3000
# Fields in place of the default ones.
FIELD_SETS = ["ip", "ip,sym", "ip,sym,dso", "ip,sym,symoff,dso", "ip,sym,symoff", "ip,dso", "comm", "comm,ip", "comm,ip,sym", "comm,ip,sym,dso", "comm,tid", "comm,pid", "comm,pid,tid", "comm,tid,ip,sym", "comm,tid,ip,sym,dso", "comm,tid,ip,sym,symoff,dso", "comm,pid,tid,ip,sym,dso", "tid", "pid,tid", "tid,ip,sym,dso", "pid,tid,ip,sym,dso", "pid,tid,time,period,event,ip,sym,dso", "cpu", "cpu,ip,sym,dso", "cpu,time,event,ip,sym,dso", "comm,cpu", "comm,cpu,ip,sym,dso", "comm,tid,cpu,ip,sym,dso", "time", "time,ip,sym,dso", "time,event,ip,sym,dso", "comm,time,event,ip,sym,dso", "comm,tid,time,ip,sym,dso", "comm,tid,time,event", "comm,tid,time,period,event", "comm,tid,time,period,ip,sym,dso", "comm,cpu,time,event,ip,sym,dso", "period", "period,ip,sym,dso", "comm,period", "comm,period,ip,sym,dso", "comm,tid,period,ip,sym,dso", "event", "event,ip,sym,dso", "event,period", "event,period,ip,sym,dso", "comm,event,ip,sym,dso", "comm,tid,event,ip,sym,dso", "comm,period,event,ip,sym,dso", "tid,event,ip,sym,dso", "comm,tid,period,event,ip,sym,dso", "comm,tid,cpu,event,ip,sym,dso", "comm,tid,cpu,time,event,ip,sym,dso", "comm,pid,tid,cpu,time,event,ip,sym,dso", "comm,pid,tid,cpu,time,period,event,ip,sym,symoff,dso", "comm,tid,time,event,ip", "comm,tid,time,event,trace", "comm,tid,time,event,trace,ip,sym,dso", "comm,tid,trace", "comm,tid,time,event,addr,ip,sym,dso", "comm,tid,time,event,addr", "comm,tid,ip,sym,brstacksym", "comm,tid,time,event,ip,sym,dso,brstack", "ip,brstack", "ip,sym,dso,brstacksym", "comm,tid,time,event,ip,sym,dso,misc"]
# Fields beside the default ones, or without one of them.
CHANGES = ["+pid", "+misc", "+misc,+pid", "+flags", "+srcline", "+srccode,+srcline", "+addr", "+phys_addr", "+weight", "+data_src", "+insn", "+insnlen", "+insn,+insnlen", "+iregs", "+uregs", "+iregs,+uregs", "+brstack", "+brstacksym", "+brstackoff", "+brstackinsn", "+brstackinsnlen", "+cgroup", "+data_page_size,+code_page_size", "+addr,+phys_addr,+data_page_size,+code_page_size,+weight", "+ins_lat", "+retire_lat", "+metric", "+callindent", "+synth", "+ipc", "+tod", "+bpf-output", "+dsoff", "+machine_pid,+vcpu", "-comm", "-tid", "-time", "-event", "-period", "-ip", "-sym", "-dso", "-symoff", "-cpu", "-trace", "-comm,-tid", "-comm,-time", "-time,-event", "-tid,-cpu", "-tid,-cpu,-time"]
OPTIONS = ["\n     ", " --ns ", " --reltime ", " --deltatime ", " -G ", " --inline ", " --no-inline ", " --no-demangle ", "\n    --max-stack 2 ", " --show-kernel-path ", " --kallsyms /dev/null ", " --symfs /nonexistent ", "\n    --header ", " -I ", " --show-mmap-events ", " --show-task-events ", " --show-lost-events ", "\n    --show-switch-events ", " --show-namespace-events ", " --show-cgroup-events ", " --show-bpf-events\n    ", " --show-text-poke-events ", " --full-source-path ", " --stop-bt main ", " --Latency\n"]
DEFAULT = frozenset(
    {"comm", "tid", "cpu", "time", "event", "ip", "sym", "symoff", "dso", "period", "trace"}
)
OPTIONAL = frozenset({"cpu", "period"})


@dataclass(frozen=True)
class Recording:
    path: Path
    events: tuple[str, ...]
    has_chains: bool


def recording(path: Path) -> Recording:
    verbose = perf(["evlist", "-v"], path)
    events = tuple(re.findall(r"^(\S+?): (?:type|size)", verbose, re.MULTILINE))
    return Recording(path, events, "CALLCHAIN" in verbose)


def perf(command: list[str], path: Path) -> str:
    """What perf printed; nothing where it does not accept the options."""
    done = subprocess.run(
        ["perf", *command, "-i", path], capture_output=True, stdin=subprocess.DEVNULL
    )
    return "" if done.returncode else done.stdout.decode("utf-8", "backslashreplace")


def texts(recorded: Recording) -> Iterator[Text]:
    """Every text that perf prints of a recording."""
    for options in (
        *((f"-F {fields}") for fields in (*FIELD_SETS, *CHANGES)),
        *OPTIONS,
        *(f"-G -F {fields}" for fields in (*FIELD_SETS[:18], *CHANGES) if recorded.has_chains),
    ):
        printed = perf(["script", *options.split()], recorded.path)
        if printed.strip():
            fields, optional = asked(options)
            chains = recorded.has_chains and not options.startswith("-G")
            yield Text(f"{recorded.path.stem} {options}".strip(), cut(printed), sorted(fields),
                       sorted(optional), list(recorded.events), chains)  # fmt: skip


def asked(options: str) -> tuple[frozenset[str], frozenset[str]]:
    """The fields that perf prints, and those of them that an event may lack."""
    _, _, named = options.partition("-F ")
    if options == "--Latency":
        return DEFAULT | {"latency"}, frozenset({"period"})
    names = named.split(",") if named else []
    if names and names[0][0] not in "+-":
        return frozenset(names), frozenset()
    fields = DEFAULT | {name[1:] for name in names if name[0] == "+"}
    return fields - {name[1:] for name in names if name[0] == "-"}, OPTIONAL


def cut(text: str) -> str:
    """The first lines, up to a blank one where there are any."""
    lines = text.splitlines(keepends=True)
    if len(lines) <= _MOST_LINES:
        return text
    lines = lines[:_MOST_LINES]
    while "\n" in lines and lines[-1] != "\n":
        lines.pop()
    return "".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--failures", action="store_true")
    arguments = parser.parse_args()
    kept: dict[str, Text] = {}
    rows, total = [], Counter()
    for path in arguments.recordings:
        counts: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        for text in texts(recording(path)):
            reason = option_texts.difference(text)
            kind = "right" if reason is None else reason.split(":")[0]
            counts[kind] += 1
            if reason:
                reasons[reason.split("\n")[0][:120]] += 1
                if arguments.failures:
                    sys.stderr.write(f"{text.name}: {reason}\n")
            kept.setdefault(" ".join(text.name.split()[1:]) + str(text.has_chains), text)
        total += counts
        why = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common(3))
        rows.append(
            f"| {path.stem} | {counts.total()} | {counts['right']} | {counts['refused']} | {why} |"
        )
    print_table(rows, total)
    if arguments.keep:
        keep(arguments.keep, list(kept.values()))


def print_table(rows: list[str], total: Counter[str]) -> None:
    out = io.StringIO()
    out.write("| recording | texts | right | refused | why |\n|---|---:|---:|---:|---|\n")
    out.write("\n".join(rows))
    out.write(f"\n| all | {total.total()} | {total['right']} | {total['refused']} | |\n")
    sys.stdout.write(out.getvalue())


def keep(path: Path, texts: list[Text]) -> None:
    """A few samples of each text."""
    rows = [option_texts.as_row(option_texts.shortened(text)) for text in texts]
    path.write_bytes(lzma.compress(json.dumps(rows, ensure_ascii=False, indent=0).encode()))


if __name__ == "__main__":
    main()
