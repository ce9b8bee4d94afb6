"""Trends of a history that is made here: which runs are one point, in which order, what is found,
and what is said of it."""

import csv
import io
import json
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from command import run_text
from recordings import FIXTURES

import perfduck
from perfduck import PerfduckError
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.edit import Edit
from perfduck_store.selector import select

pytestmark = pytest.mark.slow

SUBSYSTEM = {"udp": "udp_sendmsg", "conntrack": "nf_conntrack_in", "iptables": "ipt_do_table"}
POINTS = 14
AT = 9
RULES = "*filter\n:FORWARD ACCEPT [12:34]\n[1:60] -A FORWARD -j ACCEPT\n"


def recording(hits: Mapping[str, int]) -> bytes:
    """perf script text with so many samples of each subsystem."""
    lines, time = [], 1.0
    for subsystem, number in hits.items():
        for _ in range(number):
            time += 0.001
            lines.append(
                f"iperf3  7/7  [000] {time:.6f}:    1000000 cpu-clock: \n"
                f"\tffffffff81000010 {SUBSYSTEM[subsystem]}+0x10 ([kernel.kallsyms])\n"
                "\tffffffff81000020 do_syscall_64+0x20 ([kernel.kallsyms])\n\n"
            )
    return "".join(lines).encode()


def history(
    store: perfduck.ProfileStore, costs: Mapping[str, Sequence[int]], *, runs: int = 1
) -> None:
    """A point for each place of the costs, labels commit and commit_time, 1,000 packets a run."""
    random = np.random.default_rng(3)
    for place in range(len(next(iter(costs.values())))):
        for run in range(1, runs + 1):
            hits = {name: round(all_[place] * (1 + 0.03 * random.standard_normal()))
                    for name, all_ in costs.items()}  # fmt: skip
            labels = {"commit": commit(place), "run": str(run), "scenario": "native",
                      "commit_time": f"2026-10-{place + 1:02}T09:00:00Z"}  # fmt: skip
            store.ingest(recording(hits), name=f"{place:02}.{run}", labels=labels,
                         work=1000 + place, unit="packet", host_files=False)  # fmt: skip


def commit(place: int) -> str:
    return f"c0ffee{(7 * place) % 100:02}"  # not in the order of the history


def programs(place: int) -> list[dict[str, object]]:
    """As bpftool prints them: numbers of their boot; one more from commit AT on."""
    names = ["count", "drop"] if place >= AT else ["count"]
    return [
        {"id": place + number, "type": "xdp", "name": name, "tag": f"{number:016x}"}
        for number, name in enumerate(names)
    ]


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """iptables costs twice as much from commit AT on; rules were added there."""
    folder = tmp_path_factory.mktemp("trend")
    with perfduck.open(folder / "store.duckdb") as store:
        costs = {"udp": [90] * POINTS, "conntrack": [40] * POINTS,
                 "iptables": [40] * AT + [90] * (POINTS - AT)}  # fmt: skip
        history(store, costs, runs=2)
        (folder / "old").write_text(RULES)
        (folder / "new").write_text(RULES.replace("12:34", "9:9") + "[0:0] -A FORWARD -j DROP\n")
        for place in range(POINTS):
            file = folder / ("new" if place >= AT else "old")
            (folder / "bpf.json").write_text(json.dumps(programs(place)))
            store.attach(f"commit={commit(place)}", {"iptables": file, "bpf": folder / "bpf.json"})
    return folder / "store.duckdb"


def test_a_step_is_dated_named_and_explained(stepped: Path) -> None:
    with perfduck.open(stepped) as store:
        result = store.trend("*", "commit")
        [group] = result.data.groups
        [change] = group.changes
        assert (change.before, change.at) == (commit(AT - 1), commit(AT))
        assert {step.series for step in change.steps} == {"total", "iptables"}
        assert all(step.state == "confirmed" for step in change.steps)
        assert {fact.what: fact.after for fact in change.facts} == {
            "iptables": "1 line more (-A FORWARD -j DROP)", "bpf": "1 line more (xdp drop)"
        }  # fmt: skip
        assert group.unit == "ns/packet"
        own = next(step for step in change.steps if step.series == "iptables")
        diff = store.diff(change.base, change.new, where=list(change.where))
        [row] = [row for row in diff.data.subsystems if row.subsystem == "iptables"]
        assert row.delta == pytest.approx(own.delta, rel=0.1)


def test_replicates_are_one_point_with_their_spread(stepped: Path) -> None:
    with perfduck.open(stepped) as store:
        data = store.trend("*", "commit", by="total").data
    [group] = data.groups
    assert [point.value for point in group.points] == [commit(place) for place in range(POINTS)]
    assert {len(point.runs) for point in group.points} == {2}
    [total] = group.series
    assert all(spread is not None and spread >= 0 for spread in total.spreads)


def test_the_command_that_is_printed_runs(stepped: Path) -> None:
    shown = json.loads(run_text(["trend", "*", "--over", "commit", "--comm", "iperf3", "--format",
                                 "json", "--store", stepped]).stdout)  # fmt: skip
    words = shlex.split(shown["groups"][0]["changes"][0]["diff"])
    assert words[:2] == ["perfduck", "diff"]
    assert words[-2:] == ["--comm", "iperf3"]
    done = run_text([*words[1:], "--store", stepped])
    assert done.returncode == 1
    assert "iptables" in done.stdout


def test_paths_report_one_growth_once(stepped: Path) -> None:
    with perfduck.open(stepped) as store:
        [group] = store.trend("*", "commit", by="path").data.groups
        paths = [step.series for change in group.changes for step in change.steps]
    assert paths == ["total", "do_syscall_64 > ipt_do_table"]


def test_text_shows_changes_series_and_the_diff(stepped: Path) -> None:
    done = run_text(["trend", "*", "--over", "commit", "--store", stepped])
    assert done.returncode == 0
    assert f"Changed at commit {commit(AT)}, after {commit(AT - 1)}" in done.stdout
    assert "confirmed by 5 points" in done.stdout
    assert "changed there: iptables: 1 line more (-A FORWARD -j DROP)" in done.stdout
    assert "▁▁" in done.stdout
    assert "█" in done.stdout


def test_csv_has_a_row_for_each_point_and_a_column_for_each_series(stepped: Path) -> None:
    done = run_text(["trend", "*", "--over", "commit", "--format", "csv", "--store", stepped])
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["commit"] for row in rows] == [commit(place) for place in range(POINTS)]
    assert rows[0]["time"] == "2026-10-01T09:00:00"
    parts = float(rows[3]["udp"]) + float(rows[3]["iptables"]) + float(rows[3]["conntrack"])
    assert float(rows[3]["total"]) == pytest.approx(parts)


def test_frames_have_points_and_steps(stepped: Path) -> None:
    with perfduck.open(stepped) as store:
        result = store.trend("*", "commit")
    assert len(result.points) == POINTS * len(result.data.groups[0].series)
    assert set(result.changes["series"]) == {"total", "iptables"}
    assert "Changed at" in result.to_markdown()
    assert str(result) == result.to_text()
    assert "1 change" in repr(result)


def test_the_page_has_a_chart_and_asks_for_nothing(stepped: Path) -> None:
    with perfduck.open(stepped) as store:
        page = store.trend("*", "commit").to_html()
    assert page.count('<svg class="trend"') >= 3
    assert page.count("<circle") >= 3 * POINTS
    assert "flame" not in page.partition("<style>")[2].rpartition("</style>")[2]
    assert " src=" not in page


def test_cost_that_shifted_is_one_note(tmp_path: Path) -> None:
    with perfduck.open(tmp_path / "store.duckdb") as store:
        costs = {"udp": [200] * 16, "conntrack": [60] * 8 + [120] * 8,
                 "iptables": [120] * 8 + [60] * 8}  # fmt: skip
        history(store, costs)
        result = store.trend("*", "commit")
    [change] = result.data.groups[0].changes
    assert change.steps == ()
    [shift] = change.shifts
    assert (shift.source.series, shift.target.series) == ("iptables", "conntrack")
    assert "cost shift: iptables -" in result.to_text()


def test_a_repository_orders_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo, store_path = tmp_path / "repo", tmp_path / "store.duckdb"
    repo.mkdir()

    def git(*words: str) -> str:
        own = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        done = subprocess.run(["git", "-C", repo, *own, *words], capture_output=True, check=True)
        return done.stdout.decode().strip()

    git("init", "-q")
    commits = []
    for number in range(3):
        (repo / "file").write_text(str(number))
        git("add", "file")
        git("commit", "-q", "-m", str(number))
        commits.append(git("rev-parse", "HEAD")[:10])
    with perfduck.open(store_path) as store:
        for place, name in enumerate((*reversed(commits), "feedfacefeedface")):
            store.ingest(recording({"udp": 30 + place}), name=name, labels={"commit": name},
                         work=10, unit="packet", host_files=False)  # fmt: skip
        result = store.trend("*", "commit", repo=repo)
        with pytest.raises(PerfduckError, match="expected label commit_time of every commit, or"):
            store.trend("*", "commit")
        with pytest.raises(PerfduckError, match="a git repository, got fatal"):
            store.trend("*", "commit", repo=tmp_path)
        with pytest.raises(PerfduckError, match=r"--repo .*: expected --over commit, got time"):
            store.trend("*", "time", repo=repo)
        monkeypatch.setenv("GIT_COMMITTER_DATE", "@253402300800 +0000")
        git("commit", "--amend", "--allow-empty", "-q", "-m", "of the year 10000")
        late = git("rev-parse", "HEAD")[:10]
        store.ingest(recording({"udp": 9}), name="late", labels={"commit": late},
                     work=10, unit="packet", host_files=False)  # fmt: skip
        with pytest.raises(PerfduckError, match="committer dates of the years 1 to 9999, got 2534"):
            store.trend("*", "commit", repo=repo)
    assert [point.value for point in result.data.groups[0].points] == commits
    assert "whose commit the repository does not have: feedfacefeedface" in result.data.notes[0]
    assert "8 points or more are tested, there are 3" in result.notes[-1]


LABELS = {
    "v6.9": {"cni": "1.9", "scenario": "a"},
    "v6.10": {"cni": "1.10", "scenario": "a"},
    "v6.10b": {"cni": "1.10", "scenario": "b"},
    "v6.9b": {"cni": "1.9", "scenario": "b"},
    "other": {"commit": "abc", "commit_time": "yesterday"},
}


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "store.duckdb"
    with perfduck.open(path) as store:
        for place, (name, labels) in enumerate(LABELS.items()):
            store.ingest(recording({"udp": 20 + place}), name=name, labels=labels, work=10,
                         unit="packet", host_files=False)  # fmt: skip
    return path


def test_values_of_a_label_are_in_the_order_of_their_numbers_a_group_a_scenario(
    labelled: Path,
) -> None:
    with perfduck.open(labelled) as store:
        data = store.trend("*", "cni").data
    assert [group.labels for group in data.groups] == [{"scenario": "a"}, {"scenario": "b"}]
    assert [[p.value for p in group.points] for group in data.groups] == [["1.9", "1.10"]] * 2
    assert data.notes == ("left out: 1 profile, no label cni: other",)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("* --over cnii", "--over cnii: expected recordings with label cnii, got none: did you"
         " mean cni?"),
        ("* --over ''", "--over: expected commit, time or a label, got nothing"),
        ("* --over time", "--over time: expected recordings that say when they began, got none:"
         " --over LABEL"),
        ("other --over commit", "other: label commit_time: expected 2026-11-27T08:00:00Z or"
         " seconds since 1970, got yesterday"),
        ("nothing --over cni", "nothing: expected a profile name"),
        ("* --over cni --by class.", "--by: expected total"),
        ("*", "missing option '--over'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_a_line(labelled: Path, words: str, says: str) -> None:
    done = run_text(["trend", *shlex.split(words), "--store", labelled])
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_an_empty_value_and_a_label_that_some_lack(tmp_path: Path) -> None:
    """The command that is printed is of the group alone."""
    with perfduck.open(tmp_path / "store.duckdb") as store:
        for place in range(12):
            cost = 80 + 2 * place + (120 if place >= 6 else 0)
            for scenario in ({}, {"scenario": "other"}):
                labels = {"v": str(place) if place else "", **scenario}
                name = f"{place}{scenario.get('scenario', '')}"
                store.ingest(recording({"udp": cost + len(scenario)}), name=name, labels=labels,
                             work=10, unit="packet", host_files=False)  # fmt: skip
        trend = store.trend("*", "v")
        [change] = [each for group in trend.data.groups[:1] for each in group.changes]
        assert 'scenario="": cpu-clock' in trend.to_text()
        assert '"" to 11' in trend.to_text()
        diff = store.diff(change.base, change.new, where=change.where)
    assert {*diff.data.base.profiles} == {"1", "2", "3", "4", "5"}


def test_cpus_of_recordings_without_a_header_are_no_fact(tmp_path: Path) -> None:
    """They are those that samples were seen on."""
    with perfduck.open(tmp_path / "store.duckdb") as store:
        for place in range(12):
            text = recording({"udp": 80 + place + (120 if place >= 6 else 0)})
            seen = text.replace(b"[000]", b"[001]", 9) if place >= 6 else text
            store.ingest(seen, name=f"{place}", labels={"v": str(place)},
                         work=10, unit="packet", host_files=False)  # fmt: skip
        [change] = store.trend("*", "v").data.groups[0].changes
    assert change.facts == ()


def test_by_class_is_self_weight_by_the_class_of_the_leaf(stepped: Path) -> None:
    with perfduck.open(stepped) as store:
        [group] = store.trend("*", "commit", by="class").data.groups
        ranked = store.top("*", by="class").frame
    shown = {each.name: sum(each.costs) for each in group.series if sum(each.costs)}
    assert set(shown) - {"total"} == set(ranked.filter(ranked["self"] > 0)["class"])
    assert sum(shown.values()) == pytest.approx(2 * shown["total"])


def test_what_all_series_share_is_said(tmp_path: Path) -> None:
    functions = {name: [60] * 8 + [120] * 8 for name in SUBSYSTEM}
    with perfduck.open(tmp_path / "store.duckdb") as store:
        history(store, functions)
        few = store.trend("*", "commit").to_text()
        assert "in the proportion of the total" not in few  # of three series nothing is to be said
        paths = store.trend("*", "commit", by="path").data
    assert {step.state for step in paths.groups[0].changes[0].steps} == {"confirmed"}


def test_a_real_history_has_its_rule_change(tmp_path: Path) -> None:
    with perfduck.open(tmp_path / "store.duckdb") as store:
        store.ingest(manifest=FIXTURES / "trend" / "recordings.csv")
        [group] = store.trend("*", "commit", comm="iperf3").data.groups
    [change] = [
        change
        for change in group.changes
        if any(step.series == "iptables" for step in change.steps)
    ]
    assert (change.before, change.at) == ("d19eddca76", "ea33ebc4cb")
    [fact] = [fact for fact in change.facts if fact.what == "iptables"]
    assert fact.at == change.at
    assert fact.after.startswith("300 lines more (-A FORWARD -s 203.0.113.0/24")


def test_work_that_cannot_be_is_named(tmp_path: Path) -> None:
    """Its square overflowed: NaN in JSON, a traceback in text."""
    with perfduck.open(tmp_path / "store.duckdb") as store:
        for place in range(POINTS):
            store.ingest(recording({"udp": 90 + place}), name=f"{place:02}",
                         labels={"version": str(place)}, work=1000, unit="packet",
                         host_files=False)  # fmt: skip
        with DuckDbStore(tmp_path / "store.duckdb", write=True) as older:  # before work had a bound
            [key] = select(older, "03")
            older.profiles.edit(key, Edit(work=1e-300))
        with pytest.raises(PerfduckError, match=r"03: expected a cost below 1e\+60 ns/packet, got"):
            store.trend("*", "version")
        assert len(store.trend("*,version=[5-9]", "version").data.groups[0].points) == 5
