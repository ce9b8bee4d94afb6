"""Exports for the Firefox Profiler: totals per function are those of `top`."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from command import run
from firefox_profile import PROFILER, FirefoxProfile, opened_by_the_profiler
from test_exports import exported, totals

import perfduck
from perfduck_report.firefox_tables import breakpad_id

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
PACKETS = 2168120


def firefox(store: Path, selector: str, **options: Any) -> FirefoxProfile:
    return FirefoxProfile(exported(store, selector, "firefox", **options))


@pytest.mark.parametrize("filters", [{}, {"comm": "iperf3", "skip": "1s"}, {"subsystem": "udp"}])
def test_functions_have_the_totals_of_top(demo_store: Path, filters: Any) -> None:
    profile = firefox(demo_store, "native.udp64.1", **filters)
    work = PACKETS * (0.75 if "skip" in filters else 1.0) / 1e6
    by_function = profile.by_function()
    expected = totals(demo_store, "native.udp64.1", **filters)
    named = {each: weights for each, weights in by_function.items() if each[0][0] != "["}
    assert named.keys() == expected.keys()
    for function, weights in named.items():
        assert [each / work for each in weights] == pytest.approx(expected[function], rel=2e-3)


def test_weights_times_and_threads_are_those_of_the_samples(demo_store: Path) -> None:
    profile = firefox(demo_store, "native.udp64.1")
    rows = perfduck.open(demo_store).sql(
        "select comm, tid, time_ns, weight from hit where profile = 'native.udp64.1'"
    )
    first = rows.frame["time_ns"].min()
    expected = Counter(
        (comm, tid, time - first, weight) for comm, tid, time, weight in rows.frame.iter_rows()
    )
    assert expected == Counter(
        (thread["name"], int(str(thread["tid"]).partition(".")[0]), round(time * 1e6),
         round(weight * 1e6))
        for thread, _, time, weight in profile.samples()
    )  # fmt: skip
    assert profile.meta["interval"] == pytest.approx(1.0)
    for thread in profile.threads:
        samples = thread["samples"]
        assert samples["weightType"] == "tracing-ms"
        assert samples["time"] == sorted(samples["time"])
        assert samples["threadCPUDelta"] == [round(each * 1e6) for each in samples["weight"]]
    assert len({thread["tid"] for thread in profile.threads}) == len(profile.threads)


def test_areas_are_categories_and_binaries_are_resources(demo_store: Path) -> None:
    profile = firefox(demo_store, "native.udp64.1")
    colors = {each["name"]: each["color"] for each in profile.meta["categories"]}
    assert colors["Other"] == "grey"
    assert colors["Idle"] == "transparent"
    assert len({colors[area] for area in ("net/l3", "net/transport", "kernel/sched", "user")}) == 4
    frames = profile.shared["frameTable"]
    of_function = {
        profile.function(frame): (profile.category[frame], frames["subcategory"][frame])
        for frame in range(frames["length"])
    }
    area, number = of_function["udp_sendmsg", "[kernel.kallsyms]"]
    [category] = [each for each in profile.meta["categories"] if each["name"] == area]
    assert (area, category["subcategories"][number]) == ("net/transport", "udp")
    assert {"[kernel.kallsyms]"} < {each["path"] for each in profile.file["libs"]}


def test_recordings_are_processes_of_their_own(demo_store: Path) -> None:
    profile = firefox(demo_store, "native.udp64.*")
    names = {thread["pid"]: thread["processName"] for thread in profile.threads}
    assert names["iperf3"] == "native.udp64.1: iperf3"
    assert names["iperf3.2"] == "native.udp64.3: iperf3"
    assert min(time for _, _, time, _ in profile.samples()) == 0
    whole = sum(weight for *_, weight in profile.samples()) * 1e6
    assert whole == pytest.approx(7951951944 + 7900900893 + 7933933926)


@pytest.mark.slow
def test_pids_and_lost_samples_of_perf_data(tmp_path: Path) -> None:
    recording = FIXTURES / "perf_data" / "lost" / "recording.data.xz"
    with perfduck.open(tmp_path / "s.duckdb") as store:
        store.ingest(recording, name="data")
        count = store.sql("select lost from profile").frame.item()
    profile = firefox(tmp_path / "s.duckdb", "data")
    assert all(thread["pid"].isdecimal() for thread in profile.threads)
    assert any(thread["isMainThread"] for thread in profile.threads)
    markers = [thread["markers"] for thread in profile.threads if thread["markers"]["length"]]
    assert [each["data"] for each in markers] == [[{"type": "Lost samples", "samples": count}]]
    assert count > 0
    assert profile.shared["stringArray"][markers[0]["name"][0]] == "Lost samples"


@pytest.mark.slow
def test_samples_without_times_are_an_interval_apart_which_is_said(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    words = ["ingest", FIXTURES / "folded" / "net-chain.inferno.folded", "--name", "folded"]
    assert run([*words, "--store", store]).returncode == 0
    done = run(["export", "folded", "--format", "firefox", "--store", store])
    assert b"folded without times: samples are one interval apart" in done.stderr
    profile = FirefoxProfile(done.stdout)
    assert all(thread["samples"]["weightType"] == "samples" for thread in profile.threads)
    for thread in profile.threads:
        times = thread["samples"]["time"]
        assert times == [float(place) for place in range(1, len(times) + 1)]
        assert "threadCPUDelta" not in thread["samples"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--base", "docker0-nat.*"), "--base: expected --format folded, pprof or speedscope, got"
         " firefox: the Firefox Profiler has no differences: export each side"),
        (("--per-work",), "--per-work: expected --format folded, pprof or speedscope, got firefox"),
    ],
)  # fmt: skip
def test_what_the_profiler_cannot_show_is_refused(
    demo_store: Path, options: tuple[str, ...], said: str
) -> None:
    words = ["export", "native.udp64.1", "--format", "firefox", *options, "--store", demo_store]
    done = run(words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(f"perfduck: {said}".encode())


def test_the_name_of_a_binary_on_symbol_servers() -> None:
    # https://github.com/mstange/samply/blob/main/samply-symbols/src/debugid_util.rs
    build_id = "3aaa4c6ba6a96e1e6cf4eb0f3b9ddf3c5b9d7e2a"
    assert breakpad_id(build_id) == "6B4CAA3AA9A61E6E6CF4EB0F3B9DDF3C0"
    assert breakpad_id(None) == ""


@pytest.mark.skipif(PROFILER is None, reason="no profiler-cli (npm @firefox-devtools/profiler-cli)")
@pytest.mark.slow
def test_the_profiler_counts_what_top_counts(demo_store: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(exported(demo_store, "native.udp64.1", "firefox"))
    found = Counter[tuple[str, str]]()
    with opened_by_the_profiler(path) as ask:
        for thread in range(len(FirefoxProfile(path.read_bytes()).threads)):
            words = ("thread", "functions", "--thread", f"t-{thread}", "--limit", "99999")
            for row in ask(*words, "--json")["functions"]:
                found[row["name"], row.get("library", "[unknown]")] += row["selfSamples"]
    expected = {
        (name, dso.rpartition("/")[2]): own
        for (name, dso), (own, _) in totals(demo_store, "native.udp64.1").items()
    }
    named = {each: weight for each, weight in found.items() if each[0][0] != "["}
    work = PACKETS / 1e6
    assert {each: weight / work for each, weight in named.items() if weight} == {
        each: pytest.approx(own, rel=2e-3) for each, own in expected.items() if own
    }
