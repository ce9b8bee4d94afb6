"""How many of our files one value walks through: distinct files entered, and calls between files.

    python bench/hops.py [--files]

The second table has the files by room: an importer is a part of its way; the door, the library, the
store and the tags are on every one. `--files` prints which files they are, with their lines. Each
command runs in this process under a profile hook, in all its threads; what modules do while they
are imported is left out. `up` are calls from a file into one of a room above it.
"""

import sys
import tempfile
import threading
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures"
KALLSYMS = FIXTURES / "oprofile" / "kallsyms.xz"
# From the doors down. A call from a room into one above it goes up.
ROOMS = [
    "cli",
    "perfduck",
    "report",
    "diff",
    "store",
    "ingest",
    "tags",
    "symbols",
    "kernels",
    "model",
]
DEMO = {
    scenario: sorted((FIXTURES / "demo").glob(f"{scenario}.udp64.*.txt.xz"))
    for scenario in ("native", "docker0-nat")
}
PATHS = {
    "perf script text": ["ingest", str(DEMO["native"][0])],
    "perf.data": ["ingest", str(FIXTURES / "perf_data" / "chains" / "recording.data.xz")],
    "operf session": ["ingest", str(FIXTURES / "oprofile" / "pod-flat-q" / "session.tar.gz"),
                      "--kallsyms", str(KALLSYMS)],
    "diff": ["diff", "native.*", "docker0-nat.*"],
    "compare": ["compare", "*", "--over", "scenario"],
    "top": ["top", "*"],
}  # fmt: skip


class Walk:
    """The files entered, and who called whom."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.functions: set[tuple[str, str]] = set()
        self.edges: set[tuple[str, str]] = set()
        self._importing: dict[int, int] = defaultdict(int)

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        if event not in ("call", "return"):
            return
        thread = threading.get_ident()
        if frame.f_code.co_name == "<module>":
            self._importing[thread] += 1 if event == "call" else -1
        elif event == "call" and self._importing[thread] <= 0 and (own := _own(frame)):
            self.files.add(own)
            self.functions.add((own, frame.f_code.co_qualname))
            caller = _caller(frame)
            if caller and caller != own:
                self.edges.add((caller, own))

    @property
    def mutual(self) -> int:
        """Pairs of files that call each other."""
        return sum((b, a) in self.edges for a, b in self.edges) // 2

    @property
    def up(self) -> int:
        """Calls into a room above that of the caller."""
        return sum(_room(b) < _room(a) for a, b in self.edges)


def _own(frame: FrameType) -> str | None:
    """The file below the project that holds the function."""
    name = frame.f_code.co_filename
    parts = name.removeprefix(f"{ROOT}/").split("/")
    return "/".join(parts) if name.startswith(f"{ROOT}/") and parts[0] in ROOMS else None


def _caller(frame: FrameType) -> str | None:
    """The nearest of our files above: numpy or DuckDB may stand between."""
    above = frame.f_back
    while above is not None and _own(above) is None:
        above = above.f_back
    return _own(above) if above else None


def _room(file: str) -> int:
    return ROOMS.index(file.partition("/")[0])


def _run(arguments: list[str], store: str, walk: Walk | None = None) -> None:
    sys.argv = ["perfduck", *arguments, "--store", store]
    from perfduck_cli.main import app

    sys.setprofile(walk)
    threading.setprofile(walk)
    try:
        with suppress(SystemExit):
            app()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def _fill(store: str) -> None:
    for scenario, files in DEMO.items():
        said = ["--work", "1000", "--unit", "packet", "--label", f"scenario={scenario}"]
        for file in files:
            _run(["ingest", str(file), *said], store)


def _lines(file: str) -> int:
    return len((ROOT / file).read_text().splitlines())


def main() -> None:
    words = sys.argv[1:]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        stored = f"{folder}/stored.duckdb"
        _fill(stored)
        for name, arguments in PATHS.items():
            walk = Walk()
            _run(arguments, f"{folder}/{name}.duckdb" if arguments[0] == "ingest" else stored, walk)
            rows.append((name, walk))
    print("| path | files | functions | calls between files | mutual | up |", file=sys.stderr)
    print("|---|---:|---:|---:|---:|---:|", file=sys.stderr)
    for name, walk in rows:
        if "--files" in words:
            print(name, *(f"    {_lines(file):4} {file}" for file in sorted(walk.files)), sep="\n")
        figures = len(walk.files), len(walk.functions), len(walk.edges), walk.mutual, walk.up
        print(f"| {name} | {' | '.join(map(str, figures))} |", file=sys.stderr)
    print(f"\n| path | {' | '.join(ROOMS)} |\n|---|{'---:|' * len(ROOMS)}", file=sys.stderr)
    for name, walk in rows:
        counts = Counter(map(_room, walk.files))
        cells = (str(counts[place]) for place in range(len(ROOMS)))
        print(f"| {name} | {' | '.join(cells)} |", file=sys.stderr)


if __name__ == "__main__":
    main()
