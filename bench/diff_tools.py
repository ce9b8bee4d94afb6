"""perf diff and opreport for real, and perfduck, on pairs of recordings whose answer is known.

    record.sh --scenario docker0-nat --workload udp64 --rules 100 --keep-data --out DIR/1 ...
    python bench/diff_tools.py perf DIR/1 DIR/2 DIR/3 --comm iperf3
    python bench/diff_tools.py oprofile DIR    sessions of OProfile, DIR/diff: differential reports

The answer is the subsystem that was dosed: k rules more are iptables. A row is right if it says
that a function of it grew. perfduck's claim is a path: it is right if most of what it explains is
charged to what was dosed. A sign is wrong if a row says grew (shrank) of a function that costs less
(more) per packet.
"""

import argparse
import csv
import gzip
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from perfduck_diff.comparison_input import load_input
from perfduck_diff.engine.comparison import DiffOptions
from perfduck_diff.engine.result import Claim, Diff
from perfduck_diff.engine.run_diff import run_diff
from perfduck_diff.filters import Filters
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.selector import select

DOCKER = ("bridge", "br_netfilter", "iptables", "conntrack", "nat", "veth")
PAIRS = (
    ("docker0-nat", "docker0-nat-rules10", ("iptables",)),
    ("docker0-nat", "docker0-nat-rules100", ("iptables",)),
    ("docker0-nat", "docker0-nat-rules1000", ("iptables",)),
    ("native-ct-notrack", "native-ct", ("conntrack",)),
    ("native", "native-hop", ("veth", "routing", "ipv4")),
    ("native", "docker0-nat", DOCKER),
)
READ = 20  # rows that somebody looks at
PERFDUCK = Path(sys.executable).with_name("perfduck")


@dataclass(frozen=True)
class Row:
    """A line of a ranking: a function as the tool calls it, and what it says of it, as printed."""

    function: str
    change: str
    grew: bool


def perf_rows(base: Path, new: Path, kallsyms: Path, comm: str | None) -> list[Row]:
    """`4.20%  -2.09%  [kernel.kallsyms]  [k] do_syscall_64`; without the first where it is new."""
    command = ["perf", "diff", "-q", "-c", "delta-abs", f"--kallsyms={kallsyms}"]
    command += [f"--comms={comm}", "--percentage=relative"] if comm else []
    lines = subprocess.run(
        [*command, base, new], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    rows = []
    for line in lines:
        before, _, function = line.rpartition("] ")
        changes = [word for word in before.split() if word[0] in "+-" and word[-1] == "%"]
        if changes:
            rows.append(Row(function.strip(), changes[0], changes[0].startswith("+")))
    return rows


def opreport_rows(report: Path) -> list[Row]:
    """`554  10.8670  +11.9507  kallsyms  finish_task_switch.isra.0`, of native against pod.

    Turned round, so that pod is the new side: `---`, which native has not, is what pod brought.
    """
    lines = gzip.decompress(report.read_bytes()).decode().splitlines()[3:]
    words = [line.split() for line in lines]
    return [Row(w[-1], w[2], w[2].startswith("-")) for w in words]


def perfduck(store: DuckDbStore, base: str, new: str, comm: str | None) -> Diff:
    sides = {"base": select(store, base), "new": select(store, new)}
    question = load_input(store, sides, Filters(comm=(comm,) if comm else ()))
    return run_diff(
        question.runs, *question.groups, DiffOptions(functions=len(question.runs.frames))
    )


def names(store: DuckDbStore) -> dict[str, tuple[str, str]]:
    """Of every kernel function: its name without suffixes, and its subsystem."""
    rows = store.rows("select name, canonical, subsystem from symbol where area <> 'user'")
    return {name: (canonical, subsystem) for name, canonical, subsystem in rows}


def scored(rows: list[Row], answer: Diff, known: dict[str, tuple[str, str]],
           right: tuple[str, ...]) -> str:  # fmt: skip
    """First right row, right rows among the first five, wrong signs among those that are read."""
    good = [row.grew and known.get(row.function, ("", ""))[1] in right for row in rows]
    first = good.index(True) + 1 if True in good else None
    shown = f"{rows[first - 1].function} {rows[first - 1].change}" if first else "none"
    delta = {row.function: row.delta for row in answer.functions}
    wrong = sum(
        row.grew != (delta[known[row.function][0]] > 0)
        for row in rows[:READ]
        if row.function in known and known[row.function][0] in delta
    )
    return f"{first or '-'} ({shown}) | {sum(good[:5])} | {wrong}"


def claimed(answer: Diff, right: tuple[str, ...]) -> str:
    """The first right claim, how many of the first five are, and what it says."""
    good = [_charged(claim) in right for claim in answer.claims]
    if True not in good:
        return f"- of {len(good)} | 0 of {len(good[:5])} | {answer.verdict}"
    claim = answer.claims[good.index(True)]
    size = f"{claim.function} {claim.delta:+,.0f} ({claim.low:,.0f} .. {claim.high:,.0f})"
    return f"{claim.rank} of {len(good)} | {sum(good[:5])} of {len(good[:5])} | {size}"


def _charged(claim: Claim) -> str:
    return claim.parts[0].function if claim.parts else claim.subsystem


def over_perf_data(folders: list[Path], comm: str | None) -> None:
    print("| pair | run | perf diff: first right row | right of 5 | wrong signs of 20 |")
    with tempfile.TemporaryDirectory() as place:
        kallsyms = Path(place) / "kallsyms"
        kallsyms.write_bytes(gzip.decompress((folders[0] / "kallsyms.gz").read_bytes()))
        _ingest(Path(place), folders, kallsyms)
        with DuckDbStore(Path(place) / "pairs.duckdb") as store:
            known, claims = names(store), []
            for base, new, right in PAIRS:
                answer = perfduck(store, f"scenario={base}", f"scenario={new}", comm)
                claims.append(f"| {base} → {new} | {claimed(answer, right)} |")
                for run, folder in enumerate(folders, 1):
                    data = [folder / f"{name}.udp64.1.data" for name in (base, new)]
                    rows = perf_rows(data[0], data[1], kallsyms, comm)
                    print(f"| {base} → {new} | {run} | {scored(rows, answer, known, right)} |")
    print(f"\n| pair, {len(folders)} runs a side | perfduck: first right claim | right of 5 | ns |")
    print("\n".join(claims))


def _ingest(place: Path, folders: list[Path], kallsyms: Path) -> None:
    """All folders into one store: the run of a name is the folder's number."""
    manifest = place / "recordings.csv"
    with manifest.open("w") as out:
        for run, folder in enumerate(folders, 1):
            rows = list(csv.DictReader((folder / "recordings.csv").open()))
            writer = csv.DictWriter(out, list(rows[0]))
            if run == 1:
                writer.writeheader()
            for row in rows:
                name = f"{row['scenario']}.{row['workload']}.{run}"
                file = str((folder / row["file"]).resolve())
                writer.writerow(row | {"file": file, "name": name, "run": run})
    _perfduck_ingest(place / "pairs.duckdb", kallsyms, "--manifest", manifest)


def _perfduck_ingest(store: Path, kallsyms: Path, *words: str | Path) -> None:
    command = [PERFDUCK, "ingest", "--store", store, "--kallsyms", kallsyms, *words]
    subprocess.run(command, check=True, capture_output=True)


def over_oprofile(recordings: Path) -> None:
    """The report is of other sessions of the same load, whose packets nobody counted: signs are
    held against the sessions with known packets."""
    work = {"native-flat-q": "1878850", "pod-flat-q": "855080"}
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "sessions.duckdb"
        for name, packets in work.items():
            session = recordings / name / "session.tar.gz"
            _perfduck_ingest(file, recordings / "kallsyms.gz", session,
                             "--name", name, "--work", packets, "--unit", "packet")  # fmt: skip
        with DuckDbStore(file) as store:
            known, answer = names(store), perfduck(store, *work, "iperf3")
    rows = opreport_rows(recordings / "diff" / "diff-archive-l.out.gz")
    print("| first right row | right of 5 | wrong signs of 20 |")
    print(f"| opreport | {scored(rows, answer, known, DOCKER)} |")
    print(f"| perfduck, one run a side | {claimed(answer, DOCKER)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["perf", "oprofile"])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--comm", help="on a busy machine: the load generator alone")
    asked = parser.parse_args()
    if asked.what == "perf":
        over_perf_data(asked.folders, asked.comm)
    else:
        over_oprofile(asked.folders[0])


if __name__ == "__main__":
    main()
