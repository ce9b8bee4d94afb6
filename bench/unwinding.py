"""Compares callers out of copied stacks (`--call-graph dwarf`) with those that perf script prints.

    python bench/unwinding.py FILE...           recordings of this machine
    python bench/unwinding.py --record DIR      records programs of C, Python, Go, JavaScript, tar,
                                                perl and iperf3, as far as they are installed (root)

Samples are matched by thread and time, and each is of one of KINDS. Both columns at the end say of
how many samples the last caller is an outermost function: _start, clone3, runtime.goexit.
docs/unwinding.md has a run.
"""

import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from perf_data_oracle import compare_all, oracle, printed, read

SOURCES = Path(__file__).parent / "unwinding"
KINDS = {
    "same": "the same callers",
    "end": "the copy of the stack ends: perf prints a caller of address -1, and does not read the"
    " last word of the copy",
    "signal": "perf looks for the name of what returns from a signal one byte before it",
    "perf ends": "perf prints a part of our callers, and ends",
    "file": "perf reads tables and names of a file without a recorded build id that was changed,"
    " or got another link, since the recording; we end there",
    "we end": "we print a part of perf's callers, and end",
    "other": "other callers",
}
_NOWHERE = ("[unknown]", "[unknown]")
_OUTERMOST = ("_start", "clone3", "__clone", "runtime.goexit", "runtime.mstart", "runtime.rt0_go")
_PERF = ("perf", "record", "-q", "-e", "cpu-clock", "-F", "999", "--call-graph", "dwarf")


def programs(folder: Path) -> dict[str, list[str]]:
    """Commands to record, by the name of the recording."""
    made = {
        "threads": ["gcc", "-O2", "-fomit-frame-pointer", "-pthread", "-o", str(folder / "threads"),
                    str(SOURCES / "threads.c")],
        "go": ["go", "build", "-o", str(folder / "go"), str(SOURCES / "work.go")],
    }  # fmt: skip
    built = {name: [str(folder / name)] for name, build in made.items() if _built(build)}
    given = {
        "python": [sys.executable, str(SOURCES / "work.py")],
        "node": ["node", str(SOURCES / "work.js")],
        "tar": ["sh", "-c", "tar c /usr/include | gzip -1; ls -lR /usr/share/doc | sort"],
        "perl": ["perl", "-e", "for (1..900000) { $h{$_ % 977} .= chr(65 + $_ % 26);"
                 " $s = join ',', sort map { $_ * 7 % 13 } 1..9 if $_ % 5 == 0 }"],
        "iperf3": ["sh", "-c", "iperf3 -s -1 -p 5999 & sleep 1; iperf3 -c 127.0.0.1 -p 5999 -t 2"],
    }  # fmt: skip
    return built | {
        name: command
        for name, command in given.items()
        if shutil.which(command[0]) and (name != "iperf3" or shutil.which(name))
    }


def _built(command: list[str]) -> bool:
    return shutil.which(command[0]) is not None and subprocess.run(command).returncode == 0


def recorded(folder: Path) -> Iterator[Path]:
    for name, command in programs(folder).items():
        path = folder / f"{name}.data"
        subprocess.run([*_PERF, "-o", path, "--", *command], check=True, stdout=subprocess.DEVNULL)
        yield path


def kind(perf: tuple[oracle.Frame, ...], ours: tuple[oracle.Frame, ...]) -> str:
    """Which of KINDS two chains are of, leaf first."""
    if perf == ours:
        return "same"
    ended = perf[:-1] if perf[-1] == _NOWHERE else perf
    if ended != perf and ours[: len(ended)] == ended and len(ours) - len(ended) <= 1:
        return "end"
    if len(perf) == len(ours) and all(
        one == other or (one[0] == "[unknown]" and "restore" in other[0])
        for one, other in zip(perf, ours, strict=True)
    ):
        return "signal"
    if ours[: len(ended)] == ended:
        return "perf ends"
    if ours[-1][0] == "[unknown]" and perf[: len(ours) - 1] == ours[:-1]:
        return "file"
    return "we end" if perf[: len(ours)] == ours else "other"


def is_whole(chain: tuple[oracle.Frame, ...]) -> bool:
    """Whether the last caller is an outermost function; that of a program may have no name."""
    names = [name for name, _ in chain[-2:]]
    return names[-1].startswith(_OUTERMOST) or names[0].startswith("__libc_start_main")


def compare(path: Path, shown: int) -> int:
    """Print a row of the table."""
    rows, refused = printed(path, "--no-inline")
    theirs = defaultdict(list)
    for row in rows:
        theirs[row[2], row[4]].append(row[-1])
    kinds, outermost = Counter[str](), Counter[str]()
    for row in read(path, refused):
        perf, ours = theirs[row[2], row[4]].pop(0), row[-1]
        found = kind(perf, ours)
        kinds[found] += 1
        outermost["perf"] += is_whole(perf)
        outermost["ours"] += is_whole(ours)
        if found == "other" and kinds[found] <= shown:
            print("perf", perf, "ours", ours, sep="\n", file=sys.stderr)
    assert not any(theirs.values()), "samples that only perf has"
    counts = [kinds.total(), *(kinds[one] for one in KINDS), outermost["perf"], outermost["ours"]]
    print(f"| {path.stem} |", " | ".join(f"{one:,}" for one in counts), "|", flush=True)
    return kinds["other"]


if __name__ == "__main__":
    heads = ("recording", "samples", *KINDS, "to the outermost: perf", "ours")
    compare_all(heads, recorded, compare)
