"""Compares inlined functions in call chains with those that perf script prints.

    python bench/inlining.py FILE...           recordings of this machine, --call-graph dwarf
    python bench/inlining.py --record DIR      records the programs of bench/inlining/ first

perf before 6.9 shows them in copied stacks alone, and asks addr2line of binutils for each address.
Samples are matched by thread and time, and each is of one of KINDS. docs/unwinding.md has a run.
"""

import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from perf_data_oracle import compare_all, oracle, printed, read

SOURCES = Path(__file__).parent / "inlining"
KINDS = {
    "same": "the same functions",
    "alias": "the function that others were inlined into has another name: perf prints that of the"
    " debug information as inlined, we print the symbol's",
    "other": "other functions",
}
_BUILDS = {
    "gcc": ("gcc", "-O2", "-g", str(SOURCES / "levels.c")),
    "clang": ("clang", "-O2", "-g", str(SOURCES / "levels.c")),
    "g++": ("g++", "-O2", "-g", str(SOURCES / "levels.cpp")),
    "rustc": ("rustc", "-C", "opt-level=3", "-g", str(SOURCES / "levels.rs")),
}


def recorded(folder: Path) -> Iterator[Path]:
    """The programs, built and recorded."""
    for name, build in _BUILDS.items():
        program = folder / f"levels-{name}"
        subprocess.run([*build, "-o", str(program)], check=True)
        path = folder / f"{name}.data"
        command = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "999", "--call-graph", "dwarf"]
        subprocess.run([*command, "-o", path, "--", program], check=True, stdout=subprocess.DEVNULL)
        yield path


def kind(perf: tuple[oracle.Frame, ...], ours: tuple[oracle.Frame, ...]) -> str:
    """Which of KINDS two chains are of, leaf first."""
    names, own = [name for name, _ in perf], [name for name, _ in ours]
    if names == own:
        return "same"
    is_alias = len(perf) == len(ours) and all(
        dso == "inlined" for (name, dso), mine in zip(perf, own, strict=True) if name != mine
    )
    return "alias" if is_alias else "other"


def compare(path: Path, shown: int) -> int:
    """Print a row of the table."""
    started = time.monotonic()
    rows, refused = printed(path, "--inline")
    theirs, inlined = defaultdict(list), 0
    for row in rows:
        theirs[row[2], row[4]].append(row[-1])
        inlined += any(dso == "inlined" for _, dso in row[-1])
    perf_s = time.monotonic() - started
    kinds = Counter[str]()
    for row in read(path, refused, inline=True):
        perf, ours = theirs[row[2], row[4]].pop(0), row[-1]
        found = kind(perf, ours)
        kinds[found] += 1
        if found == "other" and kinds[found] <= shown:
            print("perf", perf, "ours", ours, sep="\n", file=sys.stderr)
    our_s = time.monotonic() - started - perf_s
    assert not any(theirs.values()), "samples that only perf has"
    counts = [kinds.total(), inlined, *(kinds[one] for one in KINDS)]
    columns = [*(f"{one:,}" for one in counts), f"{perf_s:.1f}", f"{our_s:.1f}"]
    print(f"| {path.stem} |", " | ".join(columns), "|", flush=True)
    return kinds["other"]


if __name__ == "__main__":
    heads = ("recording", "samples", "inlined", *KINDS, "perf, s", "ours, s")
    compare_all(heads, recorded, compare)
