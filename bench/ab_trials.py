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
    python bench/ab_trials.py draw pairs.duckdb --trials 200       the same runs, paired anew
    python bench/ab_trials.py totals pairs.duckdb --trials 5000    their totals alone, drawn anew
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import stats

import perfduck
from perfduck.ab import LOOK_FROM
from perfduck.record import command as commands
from perfduck.record import perf as perf_tool
from perfduck_diff.comparison_input import load_input
from perfduck_diff.engine.checks import Bounds
from perfduck_diff.engine.comparison import DiffOptions
from perfduck_diff.engine.moderated_t import Design, NodeRates, given
from perfduck_diff.engine.noise import assumed, whole
from perfduck_diff.engine.power import raised
from perfduck_diff.engine.run_diff import TOTAL_LEVEL, run_diff
from perfduck_diff.engine.run_matrix import RunMatrix
from perfduck_diff.engine.sequential import FIRST, Plan
from perfduck_diff.filters import Filters
from perfduck_ingest.work import work_in
from perfduck_model.arrays import Int64
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.selector import select

A, B = f"ab-{os.getpid()}-a", f"ab-{os.getpid()}-b"
ADDRESS = "192.168.50"
LEVEL, TOLERANCE = 0.05, 0.05
SIDES = ("base", "new")
STEADY = Bounds(weight={"spread": "block"})


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
    with namespaces():
        while time.monotonic() < end:
            done += 1
            rows = [record(perf, words, folder, side, done) for side in random.permutation(SIDES)]
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
    plan = Plan(arguments.most, LEVEL)
    while at + plan.most <= len(sides[0]):
        ends.append(sequence(runs, sides[:, at : at + plan.most], plan))
        at += ends[-1][1]
    show(ends)


def draw(arguments: argparse.Namespace) -> None:
    """Trials of pairs that are drawn from all runs."""
    runs, sides = pool(arguments.store)
    random, plan = np.random.default_rng(5), Plan(arguments.most, LEVEL)
    show(
        [
            sequence(runs, random.permutation(sides.ravel())[: 2 * plan.most].reshape(2, -1), plan)
            for _ in range(arguments.trials)
        ]
    )


def totals(arguments: argparse.Namespace) -> None:
    """Trials of totals that are drawn from those of all runs: the rule on the total alone."""
    runs, _ = pool(arguments.store)
    works = np.array([each.work for each in runs.runs], dtype=float)
    known = runs.weight.sum(axis=0) / works
    grain = float((known / runs.hits.sum(axis=0)).mean())
    most, count = arguments.most, arguments.trials
    drawn = np.random.default_rng(5).choice(known, (count, 2, most))
    plan, ends = Plan(most, LEVEL), [("inconclusive", most)] * count
    for pairs in range(FIRST, most + 1):
        columns = np.arange(2 * pairs)
        design = Design(columns[:pairs], columns[pairs:], np.full(2 * pairs, grain), paired=True)
        model = given(design, whole(assumed(("a",))))
        rows = NodeRates(drawn[:, :, :pairs].reshape(count, -1), np.ones((count, 1)))
        level = plan.level_at(pairs, 0 if pairs == FIRST else pairs - 1)
        grew = model(rows).growth <= level * TOTAL_LEVEL / LEVEL
        excluded = raised(model, rows, TOLERANCE).shrinkage <= level
        for trial in np.flatnonzero(grew | excluded):
            if ends[trial] == ("inconclusive", most):
                ends[trial] = ("pass" if excluded[trial] else "regression", pairs)
    show(ends)


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


def sequence(runs: RunMatrix, columns: Int64, plan: Plan) -> tuple[str, int]:
    """The verdict of a trial, and after how many pairs; `columns`: of both sides."""
    for pairs in range(LOOK_FROM, plan.most + 1):
        sides = columns[:, :pairs].ravel()
        level = plan.level_at(pairs, 0 if pairs == LOOK_FROM else pairs - 1)
        answer = run_diff(
            some(runs, sides),
            np.arange(pairs),
            np.arange(pairs, 2 * pairs),
            DiffOptions(paired=True, level=level, bounds=STEADY),
        )
        if answer.verdict != "inconclusive":
            return answer.verdict, pairs
    return "inconclusive", plan.most


def some(runs: RunMatrix, columns: Int64) -> RunMatrix:
    return replace(
        runs,
        runs=tuple(runs.runs[column] for column in columns),
        weight=runs.weight[:, columns],
        hits=runs.hits[:, columns],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    commands = parser.add_subparsers(required=True)
    for function in (run, report, pairs, replay, draw, totals):
        command = commands.add_parser(function.__name__)
        command.add_argument("store", type=Path)
        command.add_argument("--trials", type=int, default=40)
        command.add_argument("--most", type=int, default=10)
        command.add_argument("--rules", type=int, default=0)
        command.add_argument("--seconds", type=float, default=1)
        command.add_argument("--limit", type=float, default=1e9)
        command.set_defaults(function=function)
    arguments = parser.parse_args()
    arguments.function(arguments)


if __name__ == "__main__":
    main()
