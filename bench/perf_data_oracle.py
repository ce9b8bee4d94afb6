"""Compares the samples that we read with those that perf script prints of the same recording.

    python bench/perf_data_oracle.py FILE...          recordings of this machine's kernel
    python bench/perf_data_oracle.py --record DIR     makes recordings of many options first (root)

Compared are all samples, as a multiset: comm, pid, tid, cpu, time, period, event and the names and
dsos of the whole chain. A field that perf refuses to print of a recording is left out.

Expected to differ: some chains of --call-graph dwarf (unwinding.py says why); and addresses in a
label within a function (node's construct_stub_create_deopt_addr within
Builtins_JSConstructStubGeneric): perf takes whichever its search tree comes to first, we take the
label, in 2 of 635,470 samples.
"""

import argparse
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "perf_data"))

import oracle

from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.perf_data import importer as perf_data
from perfduck_ingest.source import Source
from perfduck_symbols.files import HostFiles

# The shell itself has work to do: --per-thread and groups do not follow its children.
_WORK = """
i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done
for i in 1 2 3; do
    ls -lR /usr/share/perl* /usr/lib/git-core; tar c /usr/include | gzip -1
    python3 -c 'print(sum(i * i for i in range(900000)))'
done >/dev/null
"""
# What is behind `perf record`; `pipe` goes through one.
_RECORDINGS = {
    "all-cpus": "-a -g -e cpu-clock -F 999",
    "one-process": "-g -e task-clock -F 1999",
    "no-chains": "-a -e cpu-clock -F 1999",
    "fixed-period": "-g -e cpu-clock -c 700000",
    "events": "-a -g -e cpu-clock,page-faults,context-switches -F 999",
    "group": "-g -e {cpu-clock,page-faults,context-switches}:S -F 999",
    "group-all-cpus": "-a -g -e {cpu-clock,page-faults}:S -F 999",
    "tracepoint": "-a -g -e sched:sched_switch -e sched:sched_process_exec",
    "dwarf": "--call-graph dwarf,1024 -e cpu-clock -F 499",
    "packed": "-a -g -z -e cpu-clock -F 999",
    "pipe": "-a -g -e cpu-clock -F 999",
    "no-time": "--no-timestamp -g -e cpu-clock -F 999",
    "per-thread": "--per-thread -g -e cpu-clock -F 999",
    "cgroups": "-a -g --all-cgroups -e cpu-clock -F 999",
    "more-fields": "-a -g -d -W -I --phys-data --switch-events --namespaces -e cpu-clock -F 999",
    "user-only": "-a -g -e cpu-clock:u -F 999",
    "threads": "--threads -a -g -e cpu-clock -F 999",
    "threads-of-a-package": "--threads=package -a -g -e cpu-clock,page-faults -F 999",
    "threads-packed": "--threads -z -a -g -e cpu-clock -F 999",
    "build-ids": "-a -g --buildid-mmap -e cpu-clock -F 999",
}
_FIELDS = "comm,pid,tid,cpu,time,period,event,ip,sym,symoff,dso"
_REFUSED = re.compile(r"Cannot print '(\w+)' field")
_PLACES = {"cpu": 3, "time": 4, "period": 5}  # in a row


def recorded(directory: Path) -> Iterator[Path]:
    """Recordings of many options."""
    for name, options in _RECORDINGS.items():
        path = directory / f"{name}.data"
        command = ["perf", "record", "-q", *options.split(), "-o"]
        work = ["--", "sh", "-c", _WORK]
        if name == "pipe":
            with path.open("wb") as output:
                subprocess.run(
                    [*command, "-", *work], check=True, stdout=output, stderr=subprocess.DEVNULL
                )
        else:
            subprocess.run([*command, path, *work], check=True, stderr=subprocess.DEVNULL)
        yield path


def printed(path: Path, *options: str) -> tuple[Iterator[oracle.Row], set[str]]:
    """The samples as perf script prints them with these options, and the fields that it refuses to
    print."""
    refused: set[str] = set()
    while True:
        fields = ",".join(one for one in _FIELDS.split(",") if one not in refused)
        command = [
            "perf",
            "script",
            *options,
            "--ns",
            "--max-stack",
            "1024",
            "-F",
            fields,
            "-i",
            str(path),
        ]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        if first:
            return oracle.said_by_perf([first, *process.stdout]), refused
        found = _REFUSED.search(process.stderr.read())
        if found is None:
            return iter(()), refused
        refused.add(found[1])


def read(path: Path, refused: set[str], *, inline: bool = False) -> Iterator[oracle.Row]:
    """The samples as we read them."""
    options = ImportOptions(host_files=HostFiles(), inline=inline)
    with Source(str(path)) as source:
        for row in oracle.said_by_us(perf_data.open(source).batches(options)):
            fields = list(row)
            for field in refused:
                fields[_PLACES[field]] = None
            yield tuple(fields)  # type: ignore[misc]


def counted(rows: Iterable[oracle.Row]) -> tuple[Counter[int], Counter[int]]:
    """How often each sample comes, by its hash (a big recording has millions of frames), with all
    of its chain and with its leaf alone."""
    whole, leaves = Counter[int](), Counter[int]()
    for row in rows:
        whole[hash(row)] += 1
        leaves[hash((*row[:-1], row[-1][0]))] += 1
    return whole, leaves


def compare(path: Path, shown: int) -> int:
    """Print a row of the table."""
    rows, refused = printed(path, "--no-inline")
    (theirs, their_leaves), (ours, our_leaves) = counted(rows), counted(read(path, refused))
    differing = (theirs - ours), (ours - theirs)
    leaves = (their_leaves - our_leaves).total() + (our_leaves - their_leaves).total()
    counts = [one.total() for one in differing]
    print(f"| {path.name} | {theirs.total()} | {counts[0]} | {counts[1]} | {leaves} |", flush=True)
    if shown:
        sides = (("perf", printed(path, "--no-inline")[0]), ("ours", read(path, refused)))
        for (name, again), odd in zip(sides, differing, strict=True):
            for row in islice((one for one in again if hash(one) in odd), shown):
                print(name, row)
    return sum(counts)


def compare_all(
    heads: Sequence[str],
    recorded: Callable[[Path], Iterator[Path]],
    compare: Callable[[Path, int], int],
) -> None:
    """What the comparisons of bench/ do: print a table with these heads, and a row of each file
    that is given or that `recorded` makes. `compare` prints a row, shows at most so many chains
    that differ, and returns how many samples do: the process exits with 1 if any."""
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--record", type=Path, metavar="DIR", help="record into DIR first")
    parser.add_argument("--show", type=int, default=0, help="print so many chains that differ")
    given = parser.parse_args()
    print("|", " | ".join(heads), "|")
    print("|---|" + "---:|" * (len(heads) - 1))
    files = [*given.files, *(recorded(given.record) if given.record else ())]
    sys.exit(any([compare(path, given.show) for path in files]))


if __name__ == "__main__":
    heads = ("recording", "samples of perf script", "only perf has", "only we have", "other leaf")
    compare_all(heads, recorded, compare)
