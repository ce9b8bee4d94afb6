"""Exports for other tools: their totals per function are those of `top`."""

import gzip
import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from command import run
from recordings import FIXTURES

import perfduck
from perfduck_diff.pods import pods_of
from perfduck_model.pprof_schema import Profile
from perfduck_report.fine_units import Rounder, common_unit, fine_unit
from perfduck_store.records import KeyValue

NATIVE, NAT = "scenario=native,workload=udp64", "scenario=docker0-nat,workload=udp64"


def totals(
    store: Path, selector: str, **filters: Any
) -> dict[tuple[str, str], tuple[float, float]]:
    """Self and total of each function, per packet, without idle; by function and dso."""
    frame = perfduck.open(store).top(selector, limit=100_000, **filters).frame
    rows = frame.select("function", "dso", "self", "total").iter_rows()
    return {
        (name, dso): (self, total) for name, dso, self, total in rows if "[unknown]" not in name
    }


class Pprof:
    """A file, as text."""

    def __init__(self, packed: bytes) -> None:
        self.message = Profile.FromString(gzip.decompress(packed))
        text = self.message.string_table
        self.types = [(text[each.type], text[each.unit]) for each in self.message.sample_type]
        self.mapping = {each.id: text[each.filename] for each in self.message.mapping}
        name = {each.id: text[each.name] for each in self.message.function}
        self.frame = {
            each.id: (name.get(each.line[0].function_id) if each.line else None,
                      self.mapping.get(each.mapping_id, "[unknown]"))
            for each in self.message.location
        }  # fmt: skip

    def labels(self, sample: Any) -> dict[str, str | int]:
        text = self.message.string_table
        return {text[each.key]: text[each.str] or each.num for each in sample.label}

    def by_function(self, number: int) -> dict[tuple[str, str], tuple[int, int]]:
        """Self and total of a type, without idle."""
        own, total = Counter[Any](), Counter[Any]()
        for sample in self.message.sample:
            if self.labels(sample)["context"] == "idle":
                continue
            frames = [self.frame[each] for each in sample.location_id]
            own[frames[0]] += sample.value[number]
            for frame in set(frames):
                total[frame] += sample.value[number]
        return {frame: (own[frame], total[frame]) for frame in total if frame[0]}


def exported(store: Path, selector: str, format: Any, **options: Any) -> bytes:
    return b"".join(perfduck.open(store).export(selector, format, **options).parts())


@pytest.mark.slow
@pytest.mark.parametrize("filters", [{}, {"comm": "iperf3", "skip": "1s"}, {"subsystem": "udp"}])
def test_functions_of_pprof_have_the_totals_of_top(demo_store: Path, filters: Any) -> None:
    found = Pprof(exported(demo_store, "native.udp64.1", "pprof", **filters))
    assert found.types == [
        ("samples", "count"),
        ("cpu-clock", "nanoseconds"),
        ("cpu-clock/packet", found.types[2][1]),
    ]
    expected = totals(demo_store, "native.udp64.1", **filters)
    work = 2168120 * (0.75 if "skip" in filters else 1.0)
    by_function = found.by_function(1)
    assert by_function.keys() == expected.keys()
    for frame, (own, total) in by_function.items():
        assert (own / work, total / work) == pytest.approx(expected[frame], rel=2e-3)
    assert found.types[2][1] == "fs/packet"
    for frame, (_, total) in found.by_function(2).items():
        assert total / 1e6 == pytest.approx(expected[frame][1], rel=1e-2, abs=0.05)


@pytest.mark.slow
def test_a_sample_of_pprof_says_whose_it_is(demo_store: Path) -> None:
    found = Pprof(exported(demo_store, "native.udp64.1", "pprof"))
    sample = next(
        each
        for each in found.message.sample
        if "udp_sendmsg" in [found.frame[place][0] for place in each.location_id]
    )
    labels = found.labels(sample)
    assert labels.keys() == {
        "profile", "comm", "tid", "cpu", "subsystem", "class", "blamed", "context",
        "direction",
    }  # fmt: skip  # the demo's text has tids alone
    assert labels["profile"] == "native.udp64.1"
    assert labels["direction"] in ("egress", "ingress", "forward")
    assert "[kernel.kallsyms]" in found.mapping.values()
    assert found.message.duration_nanos == pytest.approx(4e9, rel=0.01)


@pytest.mark.slow
def test_a_sample_of_pprof_has_the_pod_of_its_control_group(store_path: Path) -> None:
    perfduck.open(store_path).ingest(FIXTURES / "perf_script" / "v7-cgroup" / "input.txt.xz")
    found = Pprof(exported(store_path, "input", "pprof"))
    labels = [found.labels(sample) for sample in found.message.sample]
    pods = {str(each["cgroup"]): each.get("pod") for each in labels if "cgroup" in each}
    groups = [KeyValue(path, 0, 1.0) for path in pods]
    assert pods == {each.cgroup: each.pod for each in pods_of(groups, [])}
    assert pods


@pytest.mark.skipif(shutil.which("go") is None, reason="no go tool pprof")
@pytest.mark.slow
def test_go_tool_pprof_reads_it(demo_store: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.pb.gz"
    path.write_bytes(exported(demo_store, "native.udp64.1", "pprof"))
    words = ["go", "tool", "pprof", "-top", "-nodecount=99999", "-nodefraction=0", "-unit=ns"]
    words += ["-sample_index=cpu-clock", "-tagignore=context=idle", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path)
    rows = [
        line.split(None, 5)
        for line in done.stdout.splitlines()
        if line.count("%") == 3 and "flat%" not in line
    ]
    found: dict[str, float] = {}
    for flat, *_, name in rows:
        found[name] = found.get(name, 0.0) + float(flat.removesuffix("ns"))
    expected: dict[str, float] = {}
    for (name, _), (own, _) in totals(demo_store, "native.udp64.1").items():
        expected[name] = expected.get(name, 0.0) + own * 2168120
    unnamed = ("[", "<unknown>")
    named = {name: weight for name, weight in found.items() if not name.startswith(unnamed)}
    assert named == {name: pytest.approx(weight, abs=1) for name, weight in expected.items()}


@pytest.mark.slow
def test_a_base_of_pprof_is_negative(demo_store: Path) -> None:
    found = Pprof(exported(demo_store, NAT, "pprof", base=NATIVE))
    base = [each for each in found.message.sample if "pprof::base" in found.labels(each)]
    assert base
    assert all(value <= 0 for each in base for value in each.value)
    unit = found.types[2][1]
    assert found.message.string_table[found.message.default_sample_type] == "cpu-clock/packet"
    whole = sum(total for total, _ in found.by_function(2).values())
    diff = perfduck.open(demo_store).diff(NATIVE, NAT)
    assert unit == "fs/packet"
    assert whole / 1e6 == pytest.approx(diff.total.delta, rel=0.05)


@pytest.mark.slow
def test_speedscope_has_the_stacks_of_folded(demo_store: Path) -> None:
    file = json.loads(exported(demo_store, "native.udp64.*", "speedscope"))
    frames = [each["name"] for each in file["shared"]["frames"]]
    names = [each["name"] for each in file["profiles"]]
    assert names == [f"native.udp64.{run} (cpu-clock)" for run in (1, 2, 3)]
    for number, profile in enumerate(file["profiles"], 1):
        assert profile["type"] == "sampled"
        assert profile["unit"] == "nanoseconds"
        assert profile["endValue"] == sum(profile["weights"])
        found = Counter[str]()
        for stack, weight in zip(profile["samples"], profile["weights"], strict=True):
            found[";".join(frames[each] for each in stack)] += weight
        folded = exported(demo_store, f"native.udp64.{number}", "folded").decode().splitlines()
        assert found == {
            path: int(weight) for path, _, weight in (line.rpartition(" ") for line in folded)
        }


@pytest.mark.slow
def test_speedscope_of_two_sides_is_per_unit_of_work(demo_store: Path) -> None:
    alone = {"not_comm": "swapper"}  # idle is in exports
    file = json.loads(exported(demo_store, NAT, "speedscope", base=NATIVE, **alone))
    base, new = file["profiles"]
    assert base["name"] == f"base: {NATIVE} (cpu-clock per packet)"
    diff = perfduck.open(demo_store).diff(NATIVE, NAT, **alone)
    assert base["endValue"] == pytest.approx(diff.total.base, rel=0.01)
    assert new["endValue"] == pytest.approx(diff.total.new, rel=0.01)


@pytest.mark.slow
def test_folded_stacks_of_two_sides_have_two_columns(demo_store: Path) -> None:
    both = exported(demo_store, "docker0-nat.udp64.1", "folded", base="native.udp64.1").decode()
    for column, side in ((1, "native.udp64.1"), (2, "docker0-nat.udp64.1")):
        alone = exported(demo_store, side, "folded", per_work=True).decode()
        columns = (line.rsplit(" ", 2) for line in both.splitlines())
        found = {fields[0]: int(fields[column]) for fields in columns}
        expected = dict(line.rsplit(" ", 1) for line in alone.splitlines())
        assert {path: weight for path, weight in found.items() if path in expected} == {
            path: pytest.approx(int(weight), abs=1) for path, weight in expected.items()
        }
        assert all(weight == 0 for path, weight in found.items() if path not in expected)


def test_weights_per_unit_of_work_add_up(demo_store: Path) -> None:
    lines = exported(demo_store, "native.udp64.1", "folded", per_work=True).decode().splitlines()
    fine = sum(int(line.rpartition(" ")[2]) for line in lines)
    assert fine == pytest.approx(7951951944 / 2168120 * 1000, abs=1)


@pytest.mark.parametrize("options", [("--base", "docker0-nat.*"), ("--per-work",)])
def test_a_page_has_no_base(demo_store: Path, options: tuple[str, ...]) -> None:
    words = ["export", "native.udp64.1", "--format", "html", *options, "--store", demo_store]
    done = run(words)
    assert done.returncode == 2
    assert done.stderr.startswith(f"perfduck: {options[0]}: expected --format folded".encode())


@pytest.mark.parametrize(
    ("unit", "total", "expected"),
    [
        ("ns/packet", 4127.3, (1e3, "ps/packet")),
        ("ns/request", 1.65e6, (1.0, "ns/request")),
        ("ns/byte", 0.2, (1e9, "as/byte")),
        ("cycles/byte", 2.0, (1e6, "cycles/1,000,000 byte")),
        ("ns/packet", 0.0, (1.0, "ns/packet")),
    ],
)
def test_units_are_fine_enough(unit: str, total: float, expected: tuple[float, str]) -> None:
    fine = fine_unit(unit, total)
    assert (fine.factor, fine.name) == expected


@pytest.mark.parametrize(
    ("unit", "total", "expected"),
    [
        ("ns/packet", 4127.3, (1e6, "fs/packet")),
        ("ns/byte", 0.2, (1e6, "fs/byte")),
        ("ns/run", 1e12, (1e3, "ps/run")),
        ("cycles/packet", 9000.0, (1e6, "cycles/1,000,000 packet")),
    ],
)
def test_totals_of_any_size_have_one_unit(
    unit: str, total: float, expected: tuple[float, str]
) -> None:
    fine = common_unit(unit, total)
    assert (fine.factor, fine.name) == expected


@pytest.mark.skipif(shutil.which("go") is None, reason="no go tool pprof")
@pytest.mark.slow
def test_go_tool_pprof_subtracts_exports(demo_store: Path, tmp_path: Path) -> None:
    (tmp_path / "base").write_bytes(exported(demo_store, "native.udp64.1", "pprof"))
    udp = exported(demo_store, "docker0-nat.udp64.1", "pprof", subsystem="udp")
    (tmp_path / "new").write_bytes(udp)
    words = ["go", "tool", "pprof", "-top", "-sample_index=cpu-clock/packet"]
    words += ["-diff_base", "base", "new"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "Type: cpu-clock/packet" in done.stdout


def test_rounded_parts_add_up_to_the_rounded_sum() -> None:
    rounder = Rounder()
    assert sum(rounder.whole(0.3) for _ in range(1000)) == 300
