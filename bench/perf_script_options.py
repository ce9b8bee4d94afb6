"""Every line of perf_script_options.txt on recordings: what is read against a slow reader.

    python bench/perf_script_options.py recording.data... [--keep DIR] [--failures]

Prints a table in Markdown: for each recording the texts that perf printed, how many of them were
read right, and which were not and why. Texts longer than 3,000 lines are cut behind a sample. With
--keep, a text of each distinct form goes to DIR with what was asked of perf, for the tests.
"""

import argparse
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
OPTIONS = Path(__file__).with_suffix(".txt").read_text().splitlines()
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
    for options in ("", *OPTIONS):
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
        return DEFAULT | {"latency"}, OPTIONAL
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
    total: Counter[str] = Counter()
    sys.stdout.write("| recording | texts | right | refused | why |\n|---|---:|---:|---:|---|\n")
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
        write_row(path.stem, counts, why)
    write_row("all", total, "")
    if arguments.keep:
        keep(arguments.keep, list(kept.values()))


def write_row(name: str, counts: Counter[str], why: str) -> None:
    right, refused = counts["right"], counts["refused"]
    sys.stdout.write(f"| {name} | {counts.total()} | {right} | {refused} | {why} |\n")
    sys.stdout.flush()


def keep(path: Path, texts: list[Text]) -> None:
    """A few samples of each text."""
    rows = [option_texts.as_row(option_texts.shortened(text)) for text in texts]
    path.write_bytes(lzma.compress(json.dumps(rows, ensure_ascii=False, indent=0).encode()))


if __name__ == "__main__":
    main()
