"""Hybrid CPUs: every core PMU has an answer of its own, beside those of the others."""

import json
from pathlib import Path

import pytest
from command import run_text

import perfduck

CORE, ATOM = "cpu_core/cycles/P", "cpu_atom/cycles/P"
SEND = ("udp_sendmsg", "__sys_sendto", "do_syscall_64")
RECEIVE = ("ip_rcv", "net_rx_action", "handle_softirqs")


def recording(samples: dict[str, int], start: float) -> str:
    """perf script text of `perf record -e cycles`: so many samples of each PMU, half of them in
    either path."""
    lines, time = [], start
    for event, count in samples.items():
        for number in range(count):
            time += 0.001
            lines.append(f"iperf3  4711 [000] {time:.6f}:    1000000 {event}: ")
            path = SEND if number % 2 else RECEIVE
            lines += [f"\tffffffff81000000 {name}+0x10 ([kernel.kallsyms])" for name in path]
            lines.append("")
    return "\n".join(lines) + "\n"


def ingest(store: Path, name: str, samples: dict[str, int], **labels: str) -> None:
    path = store.with_name(f"{name}.txt")
    path.write_text(recording(samples, float(len(list(store.parent.iterdir())))))
    perfduck.open(store).ingest(path, work=100, unit="packet", labels=labels)


@pytest.fixture(scope="module")
def hybrid_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs a side; `new` needs twice the cycles of cpu_atom, and as many of cpu_core."""
    store = tmp_path_factory.mktemp("hybrid") / "store.duckdb"
    for run in range(3):
        for side, atom in (("base", 2000), ("new", 4000)):
            samples = {CORE: 5000 + 10 * run, ATOM: atom + 10 * run}
            ingest(store, f"{side}.{run}", samples, side=side, run=str(run))
    ingest(store, "core", {CORE: 5000})
    return store


def test_top_shows_every_core_pmu_in_its_unit(hybrid_store: Path) -> None:
    top = perfduck.open(hybrid_store).top("base.0", limit=2)
    assert top.frame.select("function", "event", "self", "share").rows() == [
        (name, event, cycles, 50)
        for event, cycles in ((CORE, 25e6), (ATOM, 10e6))
        for name in ("ip_rcv", "udp_sendmsg")
    ]
    text = " ".join(run_text(["top", "base.0", "--store", hybrid_store]).stdout.split())
    assert f"{CORE} (71.4 % of the samples), {ATOM} (28.6 % of the samples)" in text
    assert f"base.0: {CORE}, 50.0 Mcycles (cpu_core)/packet in all" in text
    assert f"base.0: {ATOM}, 20.0 Mcycles (cpu_atom)/packet in all" in text


def test_top_adds_core_pmus_up_where_that_is_asked_for(hybrid_store: Path) -> None:
    words = ["top", "base.0", "--event", "cycles", "--format", "json", "--store", hybrid_store]
    assert [row["self"] for row in json.loads(run_text(words).stdout)][:3] == [35e6, 35e6, 0]


@pytest.mark.parametrize("format", ["text", "markdown", "junit", "html"])
def test_diff_judges_every_core_pmu(hybrid_store: Path, format: str) -> None:
    done = run_text(["diff", "side=base", "side=new", "--format", format, "--store", hybrid_store])
    assert done.returncode == 1, done.stderr
    text = done.stdout.replace("\\", "")  # of Markdown
    assert f"hat of {ATOM}" in text
    assert "Mcycles (cpu_atom)/packet" in text


def test_json_has_the_diff_of_every_core_pmu(hybrid_store: Path) -> None:
    done = run_text(["diff", "side=base", "side=new", "--format", "json", "--store", hybrid_store])
    said = json.loads(done.stdout)
    assert (said["verdict"], said["verdict_of"], said["total"]["delta"]) == ("regression", ATOM, 0)
    (atom,) = said["other_pmus"]
    assert (atom["verdict"], atom["event"], atom["unit"]) == (
        "regression", ATOM, "cycles (cpu_atom)/packet",
    )  # fmt: skip
    assert atom["total"]["delta"] == pytest.approx(20e6)


def test_one_core_pmu_is_judged_where_it_is_chosen(hybrid_store: Path) -> None:
    chosen = {"event": "cpu_core/cycles/", "tolerance": 0.2}
    diff = perfduck.open(hybrid_store).diff("side=base", "side=new", **chosen)
    assert (diff.verdict, diff.data.event, diff.data.other_pmus) == ("pass", CORE, ())


def test_a_pmu_that_one_side_has_alone_leaves_no_verdict(hybrid_store: Path) -> None:
    diff = perfduck.open(hybrid_store).diff("core", "base.0")
    assert diff.verdict == "inconclusive"
    blocking = [each.text for each in diff.reasons if each.blocks]
    assert any(text.startswith(f"{ATOM}: base: expected a profile with") for text in blocking)


def test_a_pmu_of_which_filters_leave_nothing_is_named(hybrid_store: Path) -> None:
    store = perfduck.open(hybrid_store)
    top = store.top("base.0", until=4)
    assert "event" not in top.frame.columns
    assert any(note.text.startswith(f"{ATOM}: ") for note in top.notes)
    diff = store.diff("side=base", "side=new", until=4)
    assert any(each.text.startswith(f"{ATOM}: ") for each in diff.reasons if not each.blocks)
    assert diff.data.other_pmus == ()
