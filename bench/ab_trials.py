"""How often `perfduck ab --until-sure` is right, for real: two network namespaces, 64-byte UDP by
iperf3, and iptables rules more on the new side that match nothing. As root, on a quiet machine.

    python bench/ab_trials.py run trials.duckdb --rules 300 --trials 10
    python bench/ab_trials.py report trials.duckdb

A call goes on where the last one stopped; results are in trials.jsonl. `--limit` ends it after so
many seconds, between two trials. Trials in which nothing differs are many, so their pairs are
recorded one after the other, stored later, and the looks made over them in their order:

    python bench/ab_trials.py pairs DIR --limit 280
    perfduck ingest --manifest DIR/runs.csv --kallsyms DIR/kallsyms --store pairs.duckdb
    python bench/ab_trials.py replay pairs.duckdb
    python bench/ab_trials.py draw pairs.duckdb --trials 200       the same pairs, drawn anew
    python bench/ab_trials.py simulate - --trials 2000             noises of all kinds, drawn
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy import stats
from scipy.signal import lfilter

import perfduck
from perfduck.ab import MOST, looks
from perfduck.record import command as commands
from perfduck.record import perf as perf_tool
from perfduck_diff.comparison_input import load_input
from perfduck_diff.engine.comparison import DiffOptions
from perfduck_diff.engine.run_diff import run_diff
from perfduck_diff.engine.run_matrix import RunMatrix
from perfduck_diff.engine.sign_flip import p_of_either, relative, standardised
from perfduck_diff.filters import Filters
from perfduck_ingest.work import work_in
from perfduck_model.arrays import Float64, Int64
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.selector import select

A, B = f"ab-{os.getpid()}-a", f"ab-{os.getpid()}-b"
ADDRESS = "192.168.50"
SIDES = ("base", "new")


def sh(line: str, **options: object) -> None:
    subprocess.run(line, shell=True, check=True, **options)  # type: ignore[call-overload]


@contextlib.contextmanager
def namespaces() -> Iterator[None]:
    """A and B, joined by a veth pair, with an iperf3 server in B."""
    sh(f"ip netns add {A}; ip netns add {B}")
    sh(f"ip -n {A} link add eth0 type veth peer name eth0 netns {B}")
    for number, name in enumerate((A, B), 1):
        sh(f"ip -n {name} addr add {ADDRESS}.{number}/24 dev eth0; ip -n {name} link set eth0 up")
    server = subprocess.Popen(["ip", "netns", "exec", B, "iperf3", "-s"], stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    try:
        yield
    finally:
        server.terminate()
        server.wait()
        sh(f"ip netns del {A}; ip netns del {B}")


def rules_file(count: int, folder: Path) -> Path:
    """For iptables-restore: so many rules in OUTPUT that no packet matches (TEST-NET-3)."""
    rule = "-A OUTPUT -s 203.0.113.0/24 -p tcp -m tcp --dport {} -j DROP\n"
    path = folder / f"rules.{count}"
    lines = "".join(rule.format(number) for number in range(1, count + 1))
    path.write_text(f"*filter\n:OUTPUT ACCEPT [0:0]\n{lines}COMMIT\n")
    return path


def run(arguments: argparse.Namespace) -> None:
    """Trials for real, until there are enough or the time is over."""
    store, folder = perfduck.open(arguments.store), arguments.store.parent
    results = arguments.store.with_suffix(".jsonl")
    done = sum(each["rules"] == arguments.rules for each in read(results))
    load = f"ip netns exec {A} iperf3 -c {ADDRESS}.2 -u -b 0 -l 64 -t {arguments.seconds} -J"
    end = time.monotonic() + arguments.limit
    with namespaces():
        restore = f"ip netns exec {A} iptables-legacy-restore --wait"
        for number in range(done + 1, arguments.trials + 1):
            if time.monotonic() > end:
                return
            start = time.monotonic()
            answer = store.ab(
                load,
                load,
                setup_base=f"{restore} < {rules_file(0, folder)}",
                setup_new=f"{restore} < {rules_file(arguments.rules, folder)}",
                until_sure=True,
                most=arguments.most,
                name=f"rules{arguments.rules}.{number}.{int(time.time())}",
                comm="iperf3",
            )
            diff = answer.diff
            row = {
                "rules": arguments.rules, "trial": number, "verdict": diff.verdict,
                "pairs": answer.pairs, "summary": diff.summary, "name": answer.name,
                "claims": [claim.path[-1] for claim in diff.claims],
                "seconds": round(time.monotonic() - start, 1),
            }  # fmt: skip
            with results.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(row["rules"], number, row["verdict"], row["pairs"], row["summary"], row["claims"])


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def report(arguments: argparse.Namespace) -> None:
    """Verdicts of the trials, with 95 % intervals (Clopper and Pearson)."""
    rows = read(arguments.store.with_suffix(".jsonl"))
    for rules in sorted({int(str(row["rules"])) for row in rows}):
        some = [row for row in rows if row["rules"] == rules]
        pairs = [int(str(row["pairs"])) for row in some]
        print(f"{rules} rules more, {len(some)} trials, {np.mean(pairs):.1f} pairs on average")
        for verdict in ("regression", "pass", "inconclusive"):
            print(
                f"  {verdict:13}{share(sum(row['verdict'] == verdict for row in some), len(some))}"
            )


def share(count: int, size: int) -> str:
    limits = stats.binomtest(count, size).proportion_ci(method="exact")
    return f"{count}/{size}  {count / size:.1%} [{limits.low:.1%}, {limits.high:.1%}]"


def pairs(arguments: argparse.Namespace) -> None:
    """Record pairs as ab does, until the time is over; a manifest lists them."""
    folder = arguments.store
    folder.mkdir(exist_ok=True)
    manifest = folder / "runs.csv"
    if not manifest.exists():
        manifest.write_text("file,name,work,unit,side,run\n")
    (folder / "kallsyms").write_bytes(Path("/proc/kallsyms").read_bytes())
    done = (len(manifest.read_text().splitlines()) - 1) // 2
    perf = perf_tool.ready((), perf_tool.FREQUENCY, "")
    words = (
        f"ip netns exec {A} iperf3 -c {ADDRESS}.2 -u -b 0 -l 64 -t {arguments.seconds} -J".split()
    )
    end, random = time.monotonic() + arguments.limit, np.random.default_rng()
    rules = {"base": rules_file(0, folder), "new": rules_file(arguments.rules, folder)}
    with namespaces():
        while time.monotonic() < end:
            done, rows = done + 1, []
            for side in random.permutation(SIDES):
                sh(f"ip netns exec {A} iptables-legacy-restore --wait < {rules[side]}")
                rows.append(record(perf, words, folder, side, done))
            with manifest.open("a") as file:
                file.writelines(rows)


def record(perf: perf_tool.Perf, words: list[str], folder: Path, side: str, number: int) -> str:
    with tempfile.TemporaryDirectory() as spool:
        output = commands.run(perf, words, Path(spool), None, None).output
        work = work_in((output or b"").decode())
        assert work is not None
        name = f"{side}.{number}"
        shutil.move(Path(spool) / commands.RECORDING, folder / f"{name}.data")
    return f"{name}.data,{name},{work.amount:.0f},{work.unit},{side},{number}\n"


def replay(arguments: argparse.Namespace) -> None:
    """Trials over the pairs in their order: where one ends, the next begins."""
    runs, sides = pool(arguments.store)
    ends, at = [], 0
    most = arguments.most
    while at + most <= len(sides[0]):
        ends.append(sequence(runs, sides[:, at : at + most], most))
        at += ends[-1][1]
    show(ends)


def draw(arguments: argparse.Namespace) -> None:
    """Trials of pairs drawn from those recorded; where nothing differs, with their sides drawn."""
    runs, sides = pool(arguments.store)
    random, most, ends = np.random.default_rng(5), arguments.most, []
    for _ in range(arguments.trials):
        drawn = sides[:, random.permutation(sides.shape[1])[:most]]
        ends.append(
            sequence(runs, drawn if arguments.rules else random.permuted(drawn, axis=0), most)
        )
    show(ends)


def simulate(arguments: argparse.Namespace) -> None:
    """Trials of a total and 40 paths in which nothing differs, under noises that a t-test does not
    know; the exact test alone."""
    random = np.random.default_rng(5)
    most, count = arguments.most, arguments.trials
    for name, noise in NOISES.items():
        ends = []
        for _ in range(count):
            in_time = 1000 * noise(random, 2 * most).reshape(most, 2, 1)
            in_time = in_time * np.exp(random.standard_t(3, (most, 2, PATHS)) * 0.1) / PATHS
            swapped = random.integers(0, 2, most)[:, None, None].astype(bool)
            base, new = np.moveaxis(np.where(swapped, in_time[:, ::-1], in_time), 1, 0)
            ends.append(exact_end(base.T, new.T, looks(None, most, until_sure=True)))
        print(name, end=": ")
        show(ends)


PATHS = 40
NOISES: dict[str, Callable[[np.random.Generator, int], Float64]] = {
    "spread 6 %": lambda random, size: np.exp(0.06 * random.normal(size=size)),
    "spread 37 %": lambda random, size: np.exp(0.37 * random.normal(size=size)),
    "heavy tails (Student, 2 degrees of freedom)": lambda random, size: np.exp(
        0.2 * random.standard_t(2, size)
    ),
    "drift, to twice as slow": lambda random, size: (
        np.linspace(1, 2, size) * np.exp(0.05 * random.normal(size=size))
    ),
    "autocorrelated (0.9 from run to run)": lambda random, size: np.exp(
        lfilter([0.1], [1, -0.9], random.normal(size=size))
    ),
    "bursts (one run of five three times as slow)": lambda random, size: (
        np.where(random.random(size) < 0.2, 3.0, 1.0) * np.exp(0.03 * random.normal(size=size))
    ),
}


def exact_end(base: Float64, new: Float64, levels: dict[int, float]) -> tuple[str, int]:
    """The end by the exact test alone; costs of paths, path x pair."""
    for pairs, level in levels.items():
        sides = base[:, :pairs], new[:, :pairs]
        total = relative(*(side.sum(axis=0) for side in sides))
        shares = relative(*(side / side.sum(axis=0) for side in sides))
        if p_of_either(total, standardised(shares, np.full(PATHS, 50.0)))[0] <= level:
            return "regression", pairs
    return "inconclusive", max(levels)


def show(ends: list[tuple[str, int]]) -> None:
    print(f"{len(ends)} trials, {np.mean([pairs for _, pairs in ends]):.1f} pairs on average")
    for verdict in ("regression", "pass", "inconclusive"):
        print(f"  {verdict:13}{share(sum(end == verdict for end, _ in ends), len(ends))}")


def pool(path: Path) -> tuple[RunMatrix, Int64]:
    """The runs, iperf3 alone, and the columns of both sides in the order of their pairs."""
    with DuckDbStore(path) as store:
        profiles = select(store, "*")
        runs = load_input(store, {"runs": profiles}, Filters(comm=("iperf3",))).runs
    columns = {run.name: column for column, run in enumerate(runs.runs)}
    there = [{int(n.partition(".")[2]) for n in columns if n.startswith(side)} for side in SIDES]
    numbers = sorted(there[0] & there[1])
    sides = [[columns[f"{side}.{number}"] for number in numbers] for side in SIDES]
    works = np.array([each.work for each in runs.runs], dtype=float)
    totals = runs.weight.sum(axis=0) / works
    spread = totals.std(ddof=1) / totals.mean()
    print(f"{len(totals)} runs, {totals.mean():,.0f} ns/packet, spread {spread:.1%}")
    return runs, np.array(sides)


def sequence(runs: RunMatrix, columns: Int64, most: int) -> tuple[str, int]:
    """The verdict of a trial, and after how many pairs; `columns`: of both sides."""
    for pairs, level in looks(None, most, until_sure=True).items():
        sides = columns[:, :pairs].ravel()
        answer = run_diff(
            runs.reordered(sides),
            np.arange(pairs),
            np.arange(pairs, 2 * pairs),
            DiffOptions(paired=True, exact_level=level),
        )
        if answer.verdict != "inconclusive":
            return answer.verdict, pairs
    return "inconclusive", most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    commands = parser.add_subparsers(required=True)
    for function in (run, report, pairs, replay, draw, simulate):
        command = commands.add_parser(function.__name__)
        command.add_argument("store", type=Path)
        command.add_argument("--trials", type=int, default=40)
        command.add_argument("--most", type=int, default=MOST)
        command.add_argument("--rules", type=int, default=0)
        command.add_argument("--seconds", type=float, default=1)
        command.add_argument("--limit", type=float, default=1e9)
        command.set_defaults(function=function)
    arguments = parser.parse_args()
    arguments.function(arguments)


if __name__ == "__main__":
    main()
