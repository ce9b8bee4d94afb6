"""All benchmarks in one run: a table to look at, and bench/RESULTS.md.

    python bench/run.py RECORDING [--work DIRECTORY] [--repeat 3] [--samples 1000000 50000000]

RECORDING is a perf.data (bench/record_big.sh makes one). What is compared is run one after the
other, round by round, and the best round counts: other work on the machine only ever adds.
"""

import argparse
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import machine
import scale

from perfduck_diff.filters import Filters
from perfduck_diff.selection import select_samples
from perfduck_diff.top import top
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.selector import select

RESULTS = Path(__file__).with_name("RESULTS.md")
OTHERS = "\n## By bench/tags.py"  # what is measured apart from this, and kept
DEMO = Path(__file__).parent.parent / "fixtures" / "demo"
# Beside the python that runs this.
PERFDUCK, GPROF2DOT = (
    shlex.quote(str(Path(sys.executable).with_name(name))) for name in ("perfduck", "gprof2dot")
)
SLOW_BYTES = 64 << 20  # gprof2dot takes an object per frame: it gets the first of the text
PROFILES = 20


@dataclass(frozen=True, slots=True)
class Run:
    """The best round of a command."""

    seconds: float
    cpu_s: float
    peak_mb: int


def measured(command: str) -> Run:
    """One round, by a shell, output thrown away."""
    start = time.perf_counter()
    child = os.spawnlp(
        os.P_NOWAIT, "bash", "bash", "-o", "pipefail", "-c", f"{{ {command}; }} >/dev/null"
    )
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"bench: failed: {command}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss >> 10)


def best(commands: dict[str, str], repeat: int) -> dict[str, Run]:
    """The fastest of REPEAT rounds of all commands."""
    rounds = [{name: measured(text) for name, text in commands.items()} for _ in range(repeat)]
    return {name: min((done[name] for done in rounds), key=_seconds) for name in commands}


def _seconds(run: Run) -> float:
    return run.seconds


def of_recording(recording: Path, work: Path, repeat: int) -> list[list[str]]:
    """Rows: what reads the recording, with the ratio to perf script."""
    text, head = work / "big.txt", work / "head.txt"
    data = shlex.quote(str(recording))
    report = "perf report --stdio --no-children -g none"  # with chains it takes gigabytes
    ingest = f"rm -f {work}/one.duckdb* && {PERFDUCK} ingest --store {work}/one.duckdb"
    measured(f"perf script -i {data} 2>/dev/null >{text}")
    _write_start(text, head, SLOW_BYTES)
    runs = best(
        {
            "perf script": f"perf script -i {data} 2>/dev/null >{text}",
            "perf report --no-children -g none": f"{report} -i {data} 2>/dev/null",
            "wc -l": f"wc -l {text}",
            "gprof2dot, first 64 MB": f"{GPROF2DOT} -f perf {head}",
            "perfduck ingest, text": f"{ingest} {text}",
            "perf script, perfduck ingest -": f"{ingest} - < <(perf script -i {data} 2>/dev/null)",
            "perfduck ingest, perf.data": f"{ingest} {data}",
        },
        repeat,
    )
    reference = runs["perf script"].seconds
    return [
        [name, f"{run.seconds:.2f}", f"{run.cpu_s:.2f}", f"{run.seconds / reference:.2f}",
         f"{(SLOW_BYTES if '64 MB' in name else text.stat().st_size) / 1e6 / run.seconds:,.0f}",
         f"{run.peak_mb:,}"]
        for name, run in runs.items()
    ]  # fmt: skip


def _write_start(text: Path, head: Path, size: int) -> None:
    """The first samples of the text, some `size` bytes."""
    with text.open("rb") as file:
        start = file.read(size)
    head.write_bytes(start[: start.rindex(b"\n\n") + 2])


def of_size(work: Path) -> list[list[str]]:
    """Rows: time and memory by the size of the text; beyond its own size it is repeated."""
    text, part, store = work / "big.txt", work / "part.txt", work / "one.duckdb"
    rows = []
    for share in (1 / 8, 1 / 4, 1 / 2, 1, 3):
        if share < 1:
            _write_start(text, part, int(share * text.stat().st_size))
        else:
            measured(f"cat {' '.join([str(text)] * int(share))} >{part}")
        run = measured(f"rm -f {store}* && {PERFDUCK} ingest --store {store} {part}")
        size = part.stat().st_size / 1e6
        rows.append([f"{size:,.0f} MB", f"{run.seconds:.2f}", f"{size / run.seconds:,.0f}",
                     f"{run.peak_mb:,}"])  # fmt: skip
    part.unlink()
    return rows


def of_start(work: Path, repeat: int) -> list[list[str]]:
    """Rows: what is over before one looks up."""
    store = f"--store {work}/small.duckdb"
    one = next(iter(sorted(DEMO.glob("*.txt.xz"))))
    commands = {
        "perfduck --help": f"{PERFDUCK} --help",
        "perfduck ingest, one small recording": f"rm -f {work}/one.duckdb && {PERFDUCK} ingest "
        f"--store {work}/one.duckdb {one}",
        "perfduck ingest --manifest, 18 recordings": f"rm -f {work}/small.duckdb && "
        f"{PERFDUCK} ingest {store} --manifest {DEMO}/recordings.csv",
        "perfduck profiles": f"{PERFDUCK} profiles {store}",
        "perfduck top": f"{PERFDUCK} top 'native*' {store}",
        "perfduck diff": f"{PERFDUCK} diff scenario=native scenario=docker0-nat "
        f"--where workload=udp64 {store} || test $? = 1",  # it grew
        "perfduck sql": f"{PERFDUCK} sql 'select count(*) from sample' {store}",
    }
    runs = best(commands, repeat)
    return [
        [name, f"{run.seconds:.2f}", f"{run.cpu_s:.2f}", f"{run.peak_mb:,}"]
        for name, run in runs.items()
    ]


def of_scale(source: Path, work: Path, samples: list[int], repeat: int) -> list[list[str]]:
    """Rows: questions to stores of a million samples and more."""
    rows = []
    for number in samples:
        path = work / f"scale-{number}.duckdb"
        if not path.exists():
            scale.scaled(source, path, profiles=PROFILES, samples=number // PROFILES)
        with DuckDbStore(path) as store:
            times = [_milliseconds(question, store, repeat) for question in QUESTIONS.values()]
        # What the source's stacks and symbols take is in every store.
        size = (path.stat().st_size - source.stat().st_size) / number
        rows.append([f"{number / 1e6:g} M", *times, f"{size:.1f}"])
    return rows


def _milliseconds(
    question: Callable[[DuckDbStore], object], store: DuckDbStore, repeat: int
) -> str:
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        question(store)
        times.append(time.perf_counter() - start)
    return f"{1000 * min(times):,.0f}"


def _profiles(store: DuckDbStore) -> object:
    return store.profiles.listing(select(store, "*"))


def _two(store: DuckDbStore) -> object:
    """What a diff of two profiles reads: weights per stack and run."""
    selection = select_samples(store, {"": select(store, "run000+run002")}, Filters())
    return selection.samples.runs(), selection.samples.rollup()


QUESTIONS: dict[str, Callable[[DuckDbStore], object]] = {
    "profiles": _profiles,
    "top, function": lambda store: top(store, "*", "function"),
    "top, subsystem": lambda store: top(store, "*", "subsystem"),
    "top, comm": lambda store: top(store, "*", "comm"),
    "top of one, function": lambda store: top(store, "run001", "function"),
    "weights of two": _two,
}


def table(heading: list[str], rows: list[list[str]]) -> str:
    """Markdown, aligned so that it reads as text too."""
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]
    cells = [
        [cell.rjust(width) if column else cell.ljust(width)
         for column, (cell, width) in enumerate(zip(line, widths, strict=True))]
        for line in lines
    ]  # fmt: skip
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--work", type=Path, default=Path("/tmp/perfduck-bench"))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--samples", type=int, nargs="*", default=[1_000_000, 10_000_000, 50_000_000]
    )
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    _, heading, others = RESULTS.read_text().partition(OTHERS)
    RESULTS.write_text("")
    for section in _sections(given.recording, given.work, given.samples, given.repeat):
        print(section, flush=True)
        with RESULTS.open("a") as file:
            file.write(f"{section}\n")
    with RESULTS.open("a") as file:
        file.write(heading + others)


def _sections(recording: Path, work: Path, samples: list[int], repeat: int) -> Iterator[str]:
    read = of_recording(recording, work, repeat)
    source = work / "source.duckdb"
    (work / "one.duckdb").rename(source)
    yield f"# What perfduck takes\n\n{machine.described(recording, work / 'big.txt')}"
    yield table(["reads the recording", "s", "CPU s", "to perf script", "MB/s", "peak MB"], read)
    yield "Peak MB is of the largest process; perf.data is read by a second one of some 130 MB.\n"
    yield table(["text", "s", "MB/s", "peak MB"], of_size(work))
    yield table(["starts", "s", "CPU s", "peak MB"], of_start(work, repeat))
    yield "Milliseconds over a store of synthetic profiles, and bytes a sample:\n"
    rows = of_scale(source, work, samples, repeat)
    yield table(["samples", *QUESTIONS, "B/sample"], rows)


if __name__ == "__main__":
    main()
