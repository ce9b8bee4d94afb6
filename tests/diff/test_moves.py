"""Two kernels and refactored code from the command line: what only moved is no growth."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from perfduck_cli.main import app

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

# path (leaf first) -> hits per run; older and newer names of the same functions
OLDER = {
    "tcp_ack tcp_rcv_established tcp_v4_rcv net_rx_action __do_softirq do_softirq": 620,
    "kfree_skb tcp_v4_rcv net_rx_action __do_softirq irq_exit apic_timer_interrupt": 240,
    "new_sync_read vfs_read ksys_read do_syscall_64 entry_SYSCALL_64_after_hwframe": 310,
}
NEWER = {
    "tcp_ack tcp_rcv_established tcp_v4_rcv net_rx_action handle_softirqs __do_softirq": 620,
    "sk_skb_reason_drop tcp_v4_rcv net_rx_action handle_softirqs irq_exit_rcu": 240,
    "vfs_read ksys_read do_syscall_64 entry_SYSCALL_64_after_hwframe": 310,
}
SHIFTS = (0, 9, -7)  # of the hits, run by run


def _text(paths: dict[str, int], shift: int) -> str:
    lines, time = [], 1.0
    for path, hits in paths.items():
        for _ in range(hits + shift):
            time += 0.001
            lines.append(f"iperf3  4711 [000] {time:.6f}:    1000000 cpu-clock: ")
            frames = path.split(" ")
            lines += [f"\tffffffff81000000 {name}+0x10 ([kernel.kallsyms])" for name in frames]
            lines.append("")
    return "\n".join(lines) + "\n"


def _call(store: Path, *words: str) -> Any:
    result = CliRunner().invoke(app, [*words, "--store", str(store)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def _store(folder: Path, sides: dict[str, dict[str, int]]) -> Path:
    lines = ["file,name,work,unit,side"]
    for side, paths in sides.items():
        for run, shift in enumerate(SHIFTS):
            file = folder / f"{side}.{run}.txt"
            file.write_text(_text(paths, shift))
            lines.append(f"{file.name},{side}.{run},1000000,packet,{side}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    store = folder / "store.duckdb"
    assert _call(store, "ingest", "--manifest", str(folder / "manifest.csv")).exit_code == 0
    return store


def _diff(store: Path, *words: str) -> Any:
    return json.loads(_call(store, "diff", *words, "--format", "json").stdout)


@pytest.mark.slow
@pytest.mark.parametrize("tree", ["rerooted", "path", "subsystem"])
def test_two_kernels_with_the_same_cost_do_not_differ(tmp_path: Path, tree: str) -> None:
    store = _store(tmp_path, {"older": OLDER, "newer": NEWER})
    found = _diff(store, "side=older", "side=newer", "--tree", tree)
    assert (found["claims"], found["shrunk"]) == ([], [])


@pytest.mark.slow
def test_growth_on_the_newer_kernel_has_its_names(tmp_path: Path) -> None:
    grown = {path: hits + 200 * ("tcp_ack" in path) for path, hits in NEWER.items()}
    store = _store(tmp_path, {"older": OLDER, "newer": grown})
    [claim] = _diff(store, "side=older", "side=newer")["claims"]
    assert claim["delta"] == pytest.approx(200, abs=15)
    assert claim["path"][:2] == ["handle_softirqs", "net_rx_action"]
    other = _diff(store, "side=newer", "side=older")["shrunk"]
    assert [claim["path"] for claim in other] == [claim["path"]]


@pytest.mark.slow
def test_runs_of_one_kernel_keep_its_names(tmp_path: Path) -> None:
    grown = {path: hits + 200 * ("tcp_ack" in path) for path, hits in OLDER.items()}
    store = _store(tmp_path, {"older": OLDER, "grown": grown, "newer": NEWER})
    [claim] = _diff(store, "side=older", "side=grown")["claims"]
    assert claim["path"][:2] == ["__do_softirq", "net_rx_action"]


@pytest.mark.slow
def test_what_moved_is_said_in_every_report(tmp_path: Path) -> None:
    below = "tcp_ack tcp_rcv_established"
    inlined = {path.replace(below, "tcp_ack"): hits for path, hits in OLDER.items()}
    store = _store(tmp_path, {"base": OLDER, "inlined": inlined})
    [move] = _diff(store, "side=base", "side=inlined")["moves"]
    assert (move["label"], move["source"][-1]) == ("inlined", "tcp_rcv_established")
    assert move["path"][-1] == "tcp_v4_rcv"
    assert move["moved"] == pytest.approx(620, rel=0.02)
    text = _call(store, "diff", "side=base", "side=inlined").stdout
    assert "Moved, which is no growth" in text
    said = "inlined from tcp_v4_rcv > tcp_rcv_established to net_rx_action > tcp_v4_rcv; net there"
    assert said in " ".join(text.split())
    for form in ("markdown", "html"):
        found = _call(store, "diff", "side=base", "side=inlined", "--format", form).stdout
        assert "which is no growth" in found
