"""All benchmarks in one run: tables to look at, and bench/RESULTS.md.

    python bench/run.py RECORDING [--work DIRECTORY] [--repeat 3] [--without size scale]
                        [--samples 1000000 50000000]

RECORDING is a perf.data (bench/record_big.sh makes one). What is compared is run one after the
other, round by round, and the best round counts: other work on the machine only ever adds. Of what
is left out, the tables of an earlier run stay.
"""

import argparse
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import machine
import scale
from processes import Run, fastest, measured

from perfduck_diff.filters import Filters
from perfduck_diff.selection import select_samples
from perfduck_diff.top import top
from perfduck_kernels import native
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.selector import select

RESULTS = Path(__file__).with_name("RESULTS.md")
HEAD = "# What perfduck takes\n"
SECTIONS = {
    "recording": "Reading a recording",
    "size": "Texts by size",
    "start": "Starts",
    "scale": "Questions by number of samples",
}
DEMO = Path(__file__).parent.parent / "fixtures" / "demo"
# Beside the python that runs this.
PERFDUCK, GPROF2DOT = (
    shlex.quote(str(Path(sys.executable).with_name(name))) for name in ("perfduck", "gprof2dot")
)
KERNELS = ("native", "numpy") if native.has_kernels() else ("numpy",)
SLOW_BYTES = 16 << 20  # gprof2dot takes an object per frame: it gets the first of the text
PERF_SCRIPT = "perf script"
INFERNO = "inferno-collapse-perf"
PROFILES = 20
PEAK = "\nPeak MB is of all processes together; pages that they share count in each of them.\n"


def of_recording(recording: Path, work: Path, repeat: int) -> list[list[str]]:
    """Rows: what reads the recording, with ratios to the readers that all know."""
    text = work / "big.txt"
    runs = fastest(_readers(recording, work), repeat)
    return [
        [name, f"{run.seconds:.2f}", f"{run.cpu_s:.2f}", _ratio(run, runs.get(PERF_SCRIPT)),
         _ratio(run, runs.get(INFERNO)),
         f"{(SLOW_BYTES if '16 MB' in name else text.stat().st_size) / 1e6 / run.seconds:,.0f}",
         f"{run.peak_mb:,}"]
        for name, run in runs.items()
    ]  # fmt: skip


def _ratio(run: Run, reference: Run | None) -> str:
    return "" if reference is None else f"{run.seconds / reference.seconds:.2f}"


def _readers(recording: Path, work: Path) -> dict[str, str]:
    """Commands that read all of the recording, or of its text."""
    text, head = work / "big.txt", work / "head.txt"
    data = shlex.quote(str(recording))
    _write_start(text, head, SLOW_BYTES)
    # With chains perf report takes gigabytes.
    report = "perf report --stdio --no-children -g none"
    script = f"perf script -i {data} 2>/dev/null"
    commands = {
        PERF_SCRIPT: f"{script} >{work}/again.txt",
        report: f"{report} -i {data} 2>/dev/null",
        "wc -l": f"wc -l {text}",
        INFERNO: f"{INFERNO} {text}",
        "gprof2dot, first 16 MB": f"{GPROF2DOT} -f perf {head}",
    }
    if shutil.which(INFERNO) is None:
        del commands[INFERNO]
    for name in KERNELS:
        ingest = _ingest(name, work / "one.duckdb")
        commands |= {
            f"perfduck ingest, text ({name})": f"{ingest} {text}",
            f"perf script, perfduck ingest - ({name})": f"{ingest} - < <({script})",
            f"perfduck ingest, perf.data ({name})": f"{ingest} {data}",
        }
    return commands


def _ingest(kernels: str, store: Path) -> str:
    """A new store."""
    return f"rm -f {store}* && PERFDUCK_KERNELS={kernels} {PERFDUCK} ingest --store {store}"


def _write_start(text: Path, head: Path, size: int) -> None:
    """The first samples of the text, some `size` bytes."""
    with text.open("rb") as file:
        start = file.read(size)
    head.write_bytes(start[: start.rindex(b"\n\n") + 2])


def of_size(work: Path) -> list[list[str]]:
    """Rows: time and memory by the size of the text; beyond its own size it is repeated."""
    text, part = work / "big.txt", work / "part.txt"
    rows = []
    for share in (1 / 8, 1 / 4, 1 / 2, 1, 3):
        if share < 1:
            _write_start(text, part, int(share * text.stat().st_size))
        else:
            measured(f"cat {' '.join([str(text)] * int(share))} >{part}")
        run = measured(f"{_ingest(KERNELS[0], work / 'one.duckdb')} {part}")
        size = part.stat().st_size / 1e6
        rows.append([f"{size:,.0f} MB", f"{run.seconds:.2f}", f"{size / run.seconds:,.0f}",
                     f"{run.peak_mb:,}"])  # fmt: skip
    part.unlink()
    return rows


def of_start(work: Path, repeat: int) -> list[list[str]]:
    """Rows: what is over before one looks up."""
    runs = fastest(_starts(work), repeat)
    return [
        [name, f"{run.seconds:.2f}", f"{run.cpu_s:.2f}", f"{run.peak_mb:,}"]
        for name, run in runs.items()
    ]


def _starts(work: Path) -> dict[str, str]:
    store = f"--store {work}/small.duckdb"
    one = next(iter(sorted(DEMO.glob("*.txt.xz"))))
    imports = {}
    for name in KERNELS:
        ingest = _ingest(name, work / "small.duckdb")
        imports |= {
            f"perfduck ingest, one small recording ({name})": f"{ingest} {one}",
            f"perfduck ingest --manifest, 18 recordings ({name})": f"{ingest} "
            f"--manifest {DEMO}/recordings.csv",
        }
    return {
        "perfduck --help": f"{PERFDUCK} --help",
        **imports,
        "perfduck profiles": f"{PERFDUCK} profiles {store}",
        "perfduck top": f"{PERFDUCK} top 'native*' {store}",
        "perfduck diff": f"{PERFDUCK} diff scenario=native scenario=docker0-nat "
        f"--where workload=udp64 {store} || test $? = 1",  # it grew
        "perfduck sql": f"{PERFDUCK} sql 'select count(*) from sample' {store}",
    }


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
    given = _arguments()
    given.work.mkdir(parents=True, exist_ok=True)
    kept = _sections(RESULTS.read_text())
    wanted = [name for name in SECTIONS if name not in given.without]
    for name, body in _measured(given, wanted):
        section = f"{machine.described()}\n{body}"
        print(f"## {SECTIONS[name]}\n\n{section}", flush=True)
        kept[SECTIONS[name]] = section
        RESULTS.write_text(_document(kept))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recording", type=Path)
    parser.add_argument("--work", type=Path, default=Path("/tmp/perfduck-bench"))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--without", nargs="+", choices=SECTIONS, default=[])
    parser.add_argument(
        "--samples", type=int, nargs="*", default=[1_000_000, 10_000_000, 50_000_000]
    )
    return parser.parse_args()


def _sections(document: str) -> dict[str, str]:
    """The bodies of a document's sections by their headings."""
    parts = (part.partition("\n\n") for part in document.split("\n## ")[1:])
    return {heading: f"{body.rstrip()}\n" for heading, _, body in parts}


def _document(sections: dict[str, str]) -> str:
    order = [*SECTIONS.values(), *sections]  # those of other benchmarks are last
    headings = [heading for heading in dict.fromkeys(order) if heading in sections]
    return "\n".join([HEAD, *(f"## {heading}\n\n{sections[heading]}" for heading in headings)])


def _measured(given: argparse.Namespace, wanted: list[str]) -> Iterator[tuple[str, str]]:
    """The names of sections, and what they say."""
    work = given.work
    if set(wanted) - {"start"}:
        measured(f"perf script -i {shlex.quote(str(given.recording))} 2>/dev/null >{work}/big.txt")
    for name in wanted:
        yield name, SECTION_BODIES[name](given, work)


def _recording_section(given: argparse.Namespace, work: Path) -> str:
    rows = of_recording(given.recording, work, given.repeat)
    heading = ["reads the recording", "s", "CPU s", "to perf script", "to inferno", "MB/s"]
    return (
        f"{machine.of_recording(given.recording, work / 'big.txt')}\n"
        f"{table([*heading, 'peak MB'], rows)}{PEAK}"
        "Of `perf script, perfduck ingest -`, CPU s is perfduck's alone, peak MB that of both.\n"
    )


def _size_section(_: argparse.Namespace, work: Path) -> str:
    return table(["text", "s", "MB/s", "peak MB"], of_size(work)) + PEAK


def _start_section(given: argparse.Namespace, work: Path) -> str:
    return table(["command", "s", "CPU s", "peak MB"], of_start(work, given.repeat)) + PEAK


def _scale_section(given: argparse.Namespace, work: Path) -> str:
    source = work / "source.duckdb"
    measured(f"{_ingest(KERNELS[0], source)} {work}/big.txt")
    rows = of_scale(source, work, given.samples, given.repeat)
    return (
        "Milliseconds over a store of synthetic profiles, and bytes a sample:\n\n"
        f"{table(['samples', *QUESTIONS, 'B/sample'], rows)}"
    )


SECTION_BODIES: dict[str, Callable[[argparse.Namespace, Path], str]] = {
    "recording": _recording_section,
    "size": _size_section,
    "start": _start_section,
    "scale": _scale_section,
}


if __name__ == "__main__":
    main()
