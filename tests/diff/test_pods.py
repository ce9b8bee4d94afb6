"""By pod: what a pod is blamed for, on real recordings and on texts made for a case.

fixtures/pods is of bench/pods.py: packets of shop/sender are taken in on the CPU time of
shop/busy."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from recordings import FIXTURES

import perfduck
from perfduck_diff.answer import DiffRequest, resolve_sides
from perfduck_diff.pod_notes import comparison_notes
from perfduck_diff.pods import pods_of
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.records import KeyValue, PodName

RECORDED = FIXTURES / "pods"
BUSY, SENDER = "74c13223-5a00-11e9-b385-42010a80018d", "214f3ba8-4b69-4bdb-a7d5-5ecc73f04ae9"
CID, OTHER = "34dc0b5e626f2c5c" * 4, "9ec39b91f3d70e1b" * 4
IN_TASK = ["clear_page", "do_syscall_64"]
INLINE = [
    "handle_softirqs",
    "do_softirq",
    "__local_bh_enable_ip",
    "__dev_queue_xmit",
    "udp_sendmsg",
]
KINDS = {
    "task": IN_TASK,
    "sent": ["udp_rcv", "process_backlog", "net_rx_action", *INLINE],
    "polled": ["ip_rcv", "virtnet_poll", "net_rx_action", *INLINE],
    "a program's name": ["ip_rcv", "process_backlog [bpf]", "net_rx_action", *INLINE],
    "on exit": ["udp_rcv", "process_backlog", "handle_softirqs", "irq_exit_rcu",
                "asm_sysvec_call_function_single", *IN_TASK],
    "thread": ["udp_rcv", "process_backlog", "handle_softirqs", "run_ksoftirqd"],
    "hardirq": ["virtnet_interrupt", "asm_common_interrupt", *IN_TASK],
}  # fmt: skip
BESIDE = {"polled": "[softirq]", "a program's name": "[softirq]", "on exit": "[softirq]",
          "thread": "[softirq]", "hardirq": "[hardirq]"}  # fmt: skip
PATHS = {
    f"/kubepods/burstable/pod{BUSY}/{CID}": BUSY,
    f"/kubepods.slice/kubepods-pod{SENDER.replace('-', '_')}.slice/crio-{OTHER}.scope": SENDER,
    f"/docker/{CID}": CID[:12],
    "/system.slice/ssh.service": "[host] system.slice",
    "/": "[host] /",
}


def text_of(samples: list[tuple[str, str]]) -> str:
    """What perf script -F +cgroup prints of samples: kind and path."""
    parts = []
    for number, (kind, path) in enumerate(samples):
        names = (name.partition(" ") for name in KINDS[kind])
        frames = "".join(
            f"\t{0xFFFFFFFF81000000 + 4096 * at:x} {name}+0x10 ({dso or '[kernel.kallsyms]'})\n"
            for at, (name, _, dso) in enumerate(names)
        )
        parts.append(f"app 7 [000] {number + 1}.000000: 1000000 cpu-clock: {path}\n{frames}\n")
    return "".join(parts)


def test_a_sample_is_blamed_on_its_pod_unless_it_interrupts(tmp_path: Path) -> None:
    samples = [(kind, path) for kind in KINDS for path in PATHS]
    rows = top_by_pod(tmp_path, samples)
    expected = Counter(BESIDE.get(kind, PATHS[path]) for kind, path in samples)
    assert {pod: row["blamed"] for pod, row in rows.items()} == expected
    own = {pod: row["self"] for pod, row in rows.items()}
    assert {own[pod] for pod in PATHS.values()} == {1}  # of kind task
    assert (own["[softirq]"], own["[hardirq]"]) == (5 * len(PATHS), len(PATHS))
    assert {rows[pod]["total"] for pod in PATHS.values()} == {len(KINDS)}
    for column in ("self", "blamed"):
        assert sum(row[column] for row in rows.values()) == len(samples)


def top_by_pod(folder: Path, samples: list[tuple[str, str]]) -> dict[str, dict[str, float]]:
    """The rows of `top --by pod`, in ms: of a sample one."""
    (folder / "a.txt").write_text(text_of(samples))
    place = folder / f"{len(list(folder.iterdir()))}.duckdb"
    with perfduck.open(place) as store:
        store.ingest(folder / "a.txt", name="a")
        rows = store.top("a", by="pod").frame.iter_rows(named=True)
        return {
            row["pod"]: {name: row[name] for name in ("self", "total", "blamed")} for row in rows
        }


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[perfduck.ProfileStore]:
    with perfduck.open(tmp_path_factory.mktemp("pods") / "store.duckdb") as store:
        _ingest(store, labels={"side": "pods"}, attach=[f"pods={RECORDED / 'pods.json'}"])
        other = FIXTURES / "perf_script" / "v7-cgroup" / "input.txt.xz"
        store.ingest(other, name="other", labels={"side": "other"})
        yield store


def _ingest(store: perfduck.ProfileStore, **options: Any) -> None:
    """The recording as profile `pods`."""
    kallsyms = RECORDED / "kallsyms.gz"
    store.ingest(
        RECORDED / "recording.data.xz", name="pods", kallsyms=kallsyms, host_files=False,
        on_note=lambda _: None, **options,
    )  # fmt: skip


@pytest.mark.slow
def test_control_groups_are_those_of_perf_report(recorded: perfduck.ProfileStore) -> None:
    query = "select cgroup, count(*) as n from hit where profile = 'pods' group by cgroup"
    found = dict(recorded.sql(query).frame.iter_rows())
    rows = [line.split() for line in (RECORDED / "oracle.txt").read_text().splitlines()]
    assert found == {path: int(count) for *_, count, path in rows}


@pytest.mark.slow
def test_diff_and_compare_agree_with_top(recorded: perfduck.ProfileStore) -> None:
    top = recorded.top("pods", by="pod").frame
    share = dict(top.select("pod", 100 * top["blamed"] / top["blamed"].sum()).iter_rows())
    assert set(share) >= {"shop/busy", "shop/sender", "[softirq]", "[host] /"}
    diff = recorded.diff("other", "pods", per="share")
    assert {k: v for k, v in diff.pods[["pod", "new"]].rows() if v > 0} == pytest.approx(share)
    assert "shop/busy" in diff.render("text", by="pod")
    assert "shop/busy" in diff.render("markdown", by="pod")
    assert "shop/busy" in diff.to_html()
    compared = recorded.compare("pods+other", "side", by="pod").frame
    total = compared.filter(pod="total", group="pods")["value"].item()
    values = compared.filter(pl.col("pod") != "total", pl.col("value") > 0, group="pods")
    assert dict(values.select("pod", 100 * pl.col("value") / total).iter_rows()) == pytest.approx(
        share
    )


@pytest.mark.slow
def test_without_a_list_pods_have_their_uids(tmp_path: Path) -> None:
    with perfduck.open(tmp_path / "store.duckdb") as store:
        _ingest(store)
        assert set(store.top("pods", by="pod").frame["pod"]) >= {BUSY, SENDER}


@pytest.mark.slow
@pytest.mark.parametrize("typed", ["shop/busy", "busy", "shop/b*", "bus?"])
def test_a_filter_means_a_pod_with_or_without_its_namespace(
    typed: str, recorded: perfduck.ProfileStore
) -> None:
    rows = recorded.top("pods", by="pod")
    [blamed] = rows.frame.filter(pod="shop/busy")["blamed"]
    chosen = recorded.top("pods", by="comm", pod=typed)
    assert chosen.frame["self"].sum() == pytest.approx(blamed)
    assert "of what ran on the CPU time of" in chosen.to_text()
    rest = recorded.top("pods", by="pod", not_pod=typed).frame
    assert "shop/busy" not in rest["pod"].to_list()


@pytest.mark.slow
def test_an_unknown_pod_is_refused_with_those_that_are_there(
    recorded: perfduck.ProfileStore,
) -> None:
    said = r"no sample with --pod bussy: did you mean busy\? there are .*shop/sender"
    with pytest.raises(perfduck.PerfduckError, match=re.compile(said, re.I)):
        recorded.top("pods", by="comm", pod="bussy")


@pytest.mark.slow
def test_attached_again_pods_are_renamed(tmp_path: Path) -> None:
    given_ = json.loads((RECORDED / "pods.json").read_text())
    with perfduck.open(tmp_path / "store.duckdb") as store:
        _ingest(store)
        for name in ("first", "second"):
            given_["items"][0]["metadata"]["name"] = name
            (tmp_path / "pods.json").write_text(json.dumps(given_))
            store.attach("pods", [f"pods={tmp_path / 'pods.json'}"])
            assert f"shop/{name}" in store.top("pods", by="pod").frame["pod"].to_list()


def test_a_recording_without_control_groups_says_so(demo_store: Path) -> None:
    with perfduck.open(demo_store) as store:
        top = store.top("native.udp64.1", by="pod")
    assert set(top.frame["pod"]) == {"[no cgroup]", "[softirq]", "[hardirq]"}
    assert "no control groups were recorded" in top.to_text()


def test_compare_and_trend_by_pod_say_that_too(demo_store: Path) -> None:
    said = "native.crr.1, native.crr.2, native.udp64.1 and 1 more: no control groups were recorded"
    with perfduck.open(demo_store) as store:
        compared = store.compare("native.*.[12]", "workload", by="pod")
        trend = store.trend("native.*.[12]", "workload", by="pod")
    assert any(said in line for line in compared.data.context)
    assert said in " ".join(reason.text for group in trend.data.groups for reason in group.reasons)


def test_pods_that_no_list_names_are_said(tmp_path: Path) -> None:
    """As where the list is of another cluster."""
    with perfduck.open(tmp_path / "store.duckdb") as store:
        (tmp_path / "a.txt").write_text(text_of([("task", path) for path in PATHS]))
        store.ingest(tmp_path / "a.txt", name="a")
        said = "60.0 % of the weight is of pods that no attached list names"
        assert said in " ".join(note.text for note in store.top("a", by="pod").notes)
        names = {BUSY: "web-0", SENDER: "web-1"}
        (tmp_path / "pods.json").write_text(listed(names))
        store.attach("a", [f"pods={tmp_path / 'pods.json'}"])
        said = "20.0 % of the weight is of pods that no attached list names"  # the container
        assert said in " ".join(note.text for note in store.top("a", by="pod").notes)


def listed(names: dict[str, str]) -> str:
    """What kubectl prints of pods of namespace shop, by uid."""
    pods = [
        {"metadata": {"uid": uid, "namespace": "shop", "name": name}} for uid, name in names.items()
    ]
    return json.dumps({"kind": "List", "items": pods})


def test_pods_of_one_name_are_chosen_together_or_by_uid(tmp_path: Path) -> None:
    with perfduck.open(tmp_path / "store.duckdb") as store:
        (tmp_path / "a.txt").write_text(text_of([("task", path) for path in PATHS]))
        (tmp_path / "pods.json").write_text(listed({BUSY: "web", SENDER: "web"}))
        store.ingest(tmp_path / "a.txt", name="a", attach=[f"pods={tmp_path / 'pods.json'}"])
        both = [f"shop/web ({BUSY})", f"shop/web ({SENDER})"]
        for typed, expected in (("shop/web", both), ("web", both), (both[0], both[:1])):
            rows = store.top("a", by="pod", pod=typed).frame
            assert sorted(rows["pod"]) == sorted(expected)
        with pytest.raises(perfduck.PerfduckError, match="no sample with --not-pod \\*: there are"):
            store.top("a", by="pod", not_pod="*")


def named(paths: dict[str, set[int]], names: list[PodName]) -> dict[str, str]:
    groups = [KeyValue(path, run, 1.0) for path, runs in paths.items() for run in runs]
    return {each.cgroup: each.pod for each in pods_of(groups, names)}


def test_pods_of_one_name_are_apart_where_they_ran_together() -> None:
    one, two = (f"/kubepods/pod{uid}/{CID}" for uid in (BUSY, SENDER))
    names = [PodName(uid, "shop", "web-0", None, None) for uid in (BUSY, SENDER)]
    assert named({one: {0}, two: {1}}, names) == {one: "shop/web-0", two: "shop/web-0"}
    assert named({one: {0}, two: {0, 1}}, names) == {
        one: f"shop/web-0 ({BUSY})", two: f"shop/web-0 ({SENDER})",
    }  # fmt: skip


def test_a_restarted_container_is_of_its_pod() -> None:
    old, new = (f"/kubepods/pod{BUSY}/{cid}" for cid in (CID, OTHER))
    names = [PodName(BUSY, "shop", "web-0", OTHER, "nginx")]
    assert named({old: {0}, new: {0}}, names) == {old: "shop/web-0", new: "shop/web-0"}


def test_docker_shortens_ids() -> None:
    path = f"/docker/{CID}"
    assert named({path: {0}}, [PodName(None, None, None, CID[:12], "web")]) == {path: "web"}
    assert named({path: {0}}, [PodName(None, None, None, OTHER[:12], "web")]) == {path: CID[:12]}


def test_ticks_without_a_sample_are_said(tmp_path: Path) -> None:
    """Of 100 ticks of a pod 4 are missing, one and three in a row. A hole of 30 ticks is not
    counted, nor one between two pods."""
    pods = list(PATHS)[:2]
    mine = [tick for tick in range(100) if tick not in (10, 50, 51, 52)]
    other = [tick for tick in range(102, 200) if not 120 <= tick < 150]
    assert _missed(tmp_path, [(pods[0], mine), (pods[1], other)]) == [
        "ticks of cpu-clock left no sample, and total lacks them: in the whole recording"
        f" 4.0 % of those of {BUSY} (4 ms)"
    ]


def test_ticks_are_not_missing_where_a_cpu_was_watched_in_part(tmp_path: Path) -> None:
    assert not _missed(tmp_path, [(next(iter(PATHS)), list(range(0, 100, 2)))])


def test_a_tick_that_is_nothing_to_the_whole_is_not_said(tmp_path: Path) -> None:
    """One tick of 50, among 2,050."""
    pods = list(PATHS)[:2]
    small = [tick for tick in range(50) if tick != 20]
    assert not _missed(tmp_path, [(pods[0], small), (pods[1], list(range(50, 2_050)))])


def test_ticks_are_not_missing_where_the_clock_did_not_go_on(tmp_path: Path) -> None:
    """A timer that stops while its task sleeps begins anew."""
    ticks = [tick + 0.4 * (tick > 50) for tick in range(100) if tick != 50]
    assert not _missed(tmp_path, [(next(iter(PATHS)), ticks)])


def test_a_diff_says_what_one_side_lacks(tmp_path: Path) -> None:
    pod = next(iter(PATHS))
    mine = [(pod, [tick for tick in range(100) if tick not in (10, 50)])]
    (tmp_path / "a.txt").write_text(ticks_of(mine))
    (tmp_path / "b.txt").write_text(ticks_of(mine).replace(f"cpu-clock: {pod}", "cpu-clock: "))
    place = tmp_path / "store.duckdb"
    with perfduck.open(place) as store:
        for name in "ab":
            store.ingest(tmp_path / f"{name}.txt", name=name)
        context = store.diff("a", "b").data.context
    ticks = "ticks of cpu-clock left no sample, and total lacks them: in the whole recordings 2.0 %"
    assert any(line.startswith("b: no control groups were recorded") for line in context)
    assert any(line.startswith(f"{ticks} of those of {BUSY}") for line in context)
    with DuckDbStore(place) as duckdb:
        selection = resolve_sides(duckdb, DiffRequest(base="a", new="b")).selection
        notes = [note.text for note in comparison_notes(selection, 1_000_001)]
        cycles = replace(selection, event="cycles", unit="cycles")
        of_cycles = [note.text for note in comparison_notes(cycles, 1_000_001)]
    assert not any(line.startswith(ticks) for line in notes)
    assert any("not counted among 1,000,001 samples" in line for line in notes)
    assert not any("ticks" in line for line in of_cycles)


def _missed(folder: Path, pods: list[tuple[str, list[Any]]]) -> list[str]:
    """What `top --by pod` says of them."""
    (folder / "a.txt").write_text(ticks_of(pods))
    with perfduck.open(folder / "store.duckdb") as store:
        store.ingest(folder / "a.txt", name="a")
        lines = store.top("a", by="pod").render("text").replace("\n  ", " ").splitlines()
    return [line for line in lines if line.startswith("ticks of")]


def ticks_of(pods: list[tuple[str, list[Any]]]) -> str:
    """Text of ticks of 1 ms on one CPU, by control group."""
    samples = [
        f"app 7 [000] {1 + tick / 1000:.6f}: 1000000 cpu-clock: {path}\n"
        "\tffffffff81000000 clear_page+0x10 ([kernel.kallsyms])\n\n"
        for path, ticks in pods
        for tick in ticks
    ]
    return "".join(samples)
