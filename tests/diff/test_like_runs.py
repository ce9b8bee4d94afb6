"""How far whole runs differ, from other recordings of the store."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from perfduck_cli.main import app
from perfduck_diff.answer import DiffRequest, resolve_sides
from perfduck_diff.engine.noise import assumed
from perfduck_diff.filters import Filters
from perfduck_diff.like_runs import (
    MOST_FREEDOM,
    OTHER,
    SAME,
    SAME_WORKLOAD,
    pooled,
    spread_of_like_runs,
)
from perfduck_model.arrays import Float64
from perfduck_store.duckdb.store import DuckDbStore

# Weight per packet of each run: eight runs of one thing, four of another scenario, two of another
# workload; `udp` differs by 2 %, `tcp` by 40 %.
RUNS = {
    ("native", "udp"): [1000, 1020, 980, 1010, 990, 1015, 985, 1000],
    ("nat", "udp"): [1500, 1530, 1470, 1500],
    ("native", "tcp"): [1000, 1700],
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("like")
    lines = ["file,name,work,unit,scenario,workload,run"]
    for (scenario, workload), totals in RUNS.items():
        for number, hits in enumerate(totals, 1):
            name = f"{scenario}.{workload}.{number}"
            text = [
                f"iperf3  4711 [000] {10 * number + 0.001 * hit:.6f}:    1000000 cpu-clock: \n"
                f"\tffffffff81000000 {workload}_sendmsg+0x10 ([kernel.kallsyms])\n"
                for hit in range(hits)
            ]
            (folder / f"{name}.txt").write_text("\n".join(text))
            lines.append(f"{name}.txt,{name},1000000,packet,{scenario},{workload},{number}")
    (folder / "runs.csv").write_text("\n".join(lines) + "\n")
    path = folder / "store.duckdb"
    words = ["ingest", "--manifest", str(folder / "runs.csv"), "--store", str(path)]
    assert CliRunner().invoke(app, words).exit_code == 0
    return path


def _spread(store: Path, base: str, new: str, **filters: object) -> tuple[float, float]:
    with DuckDbStore(store) as opened:
        request = DiffRequest(base=base, new=new, filters=Filters(**filters))  # type: ignore[arg-type]
        return spread_of_like_runs(resolve_sides(opened, request), None)


@pytest.mark.slow
def test_runs_count_by_how_alike_they_are_and_those_compared_do_not(store: Path) -> None:
    """Four runs are left of native udp, which differ like Poisson counts, and four of nat udp; two
    of tcp are far apart, and of another workload."""
    square, freedom = _spread(store, "native.udp.1+native.udp.2", "native.udp.3+native.udp.4")
    quiet = pooled([(np.array([[t, t] for t in RUNS["native", "udp"][4:]], float), SAME)])
    tcp = pooled([(np.array([[t, t] for t in RUNS["native", "tcp"]], float), OTHER)])
    assert quiet[0] < square < 0.05 * tcp[0]
    assert quiet[1] < freedom < MOST_FREEDOM
    assert tcp[1] < 1


@pytest.mark.slow
def test_other_samples_than_by_command_are_not_comparable(store: Path) -> None:
    sides = ("native.udp.1+native.udp.2", "native.udp.3+native.udp.4")
    assert _spread(store, *sides, comm=("iperf3",)) == _spread(store, *sides)
    assert _spread(store, *sides, cpu=(0,)) == (0.0, 0.0)


@pytest.mark.slow
def test_what_like_runs_show_narrows_the_interval(store: Path, tmp_path: Path) -> None:
    words = ["native.udp.1+native.udp.2", "native.udp.3+native.udp.4", "--format", "json"]
    ours = "('native.udp.1', 'native.udp.2', 'native.udp.3', 'native.udp.4')"
    totals = []
    for others in (f"name not in {ours}", "labels['workload'] = 'tcp'"):
        copy = tmp_path / f"{len(totals)}.duckdb"
        copy.write_bytes(store.read_bytes())
        with DuckDbStore(copy, write=True) as opened:
            opened.execute(f"update profile set cpus = 64 where {others}")
        told = CliRunner().invoke(app, ["diff", *words, "--store", str(copy)]).stdout
        totals.append(json.loads(told)["total"])
    wide, narrow = totals
    assert narrow["high"] - narrow["low"] < 0.8 * (wide["high"] - wide["low"])


def _runs(spread: float, runs: int = 9, seed: int = 0) -> Float64:
    totals = np.random.default_rng(seed).normal(0, 1, runs)
    totals = 1000 * (1 + spread * (totals - totals.mean()) / totals.std(ddof=1))
    return np.array([totals, np.full(runs, 1e9)]).T


def test_other_runs_never_outvote_a_comparison() -> None:
    square, freedom = pooled([(_runs(0.05, 300), SAME)])
    assert freedom == MOST_FREEDOM
    assert square == pytest.approx(0.05**2, rel=0.2)
    assert pooled([(_runs(0.05)[:1], SAME)]) == (0.0, 0.0)


def test_one_group_of_wild_runs_does_not_stand_for_all() -> None:
    groups = [(_runs(spread), SAME_WORKLOAD) for spread in (0.05, 0.06, 0.6)]
    assert 0.05 < np.sqrt(pooled(groups)[0]) < 0.16


def test_what_is_assumed_and_what_was_seen_meet_between() -> None:
    noise = assumed(("a",))
    seen = noise.informed(0.12**2, 8.0)
    assert noise.run < seen.run < 0.12
    assert seen.run_freedom > 8
    assert noise.informed(0.0, 0.0) == noise
