"""How long perf script takes for a recording, and how long we take

python bench/perf_data.py FILE...

perf record -a -g -e cpu-clock -F 4000 -o perf.data -- sleep 70     makes one worth measuring.

Both read the same file several times; the best of the times counts, processor time too, for that
is what is left when others use the machine. Ours includes the start of the interpreter.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

_TIMES = 3
_READ = """
import sys
from perfduck_ingest.perf_data import importer as perf_data
from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.source import Source
from perfduck_symbols.files import HostFiles
with Source(sys.argv[1]) as source:
    options = ImportOptions(host_files=HostFiles())
    print(sum(len(batch.samples) for batch in perf_data.open(source).batches(options)))
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What a command took."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    output: bytes


def run(command: list[str], *, keep: bool) -> Run:
    start = perf_counter()
    output = subprocess.PIPE if keep else subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
    said = process.stdout.read() if process.stdout else b""
    _, _, usage = os.wait4(process.pid, 0)
    cpu = usage.ru_utime + usage.ru_stime
    return Run(perf_counter() - start, cpu, usage.ru_maxrss / 1024, said)


def best(command: list[str], *, keep: bool = False) -> Run:
    runs = [run(command, keep=keep) for _ in range(_TIMES)]
    return Run(
        min(one.wall_s for one in runs),
        min(one.cpu_s for one in runs),
        max(one.peak_mb for one in runs),
        runs[0].output,
    )


def main() -> None:
    print("| recording | MB | samples | perf script: wall, cpu | perfduck: wall, cpu, MB | ratio |")
    print("|---|---|---|---|---|---|")
    for name in sys.argv[1:]:
        perf = best(["perf", "script", "--no-inline", "-i", name])
        ours = best([sys.executable, "-c", _READ, name], keep=True)
        size = Path(name).stat().st_size / 1e6
        print(
            f"| {Path(name).name} | {size:.0f} | {int(ours.output)} "
            f"| {perf.wall_s:.2f} s, {perf.cpu_s:.2f} s "
            f"| {ours.wall_s:.2f} s, {ours.cpu_s:.2f} s, {ours.peak_mb:.0f} "
            f"| {perf.wall_s / ours.wall_s:.1f}, {perf.cpu_s / ours.cpu_s:.1f} |"
        )


if __name__ == "__main__":
    main()
