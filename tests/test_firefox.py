"""Profiles of the Firefox Profiler: of samply, and of our own export."""

import gzip
import json
import re
import time
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from command import run
from set_limits import SetLimits

import perfduck
from perfduck_ingest.firefox.schema import MappedBinary, ProfileTables
from perfduck_ingest.firefox.tables import StackIds
from perfduck_ingest.formats import opened
from perfduck_ingest.function_chains import FunctionChains
from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.source import Source
from perfduck_model.arrays import Int64
from perfduck_model.batch import Batch
from perfduck_model.errors import PerfduckError
from perfduck_model.pprof_schema import Profile

FIXTURES = Path(__file__).parent.parent / "fixtures"
SAMPLY = FIXTURES / "firefox" / "samply.json.gz"


def batches(path: Path) -> list[Batch]:
    with Source(str(path)) as source:
        return list(opened(source).batches(ImportOptions()))


def small(**changes: Any) -> dict[str, Any]:
    """A profile of version 60: main > work of /bin/a, main > JIT without a binary, and no stack."""
    profile: dict[str, Any] = {
        "meta": {"preprocessedProfileVersion": 60, "startTime": 1.7e12, "oscpu": "Linux 6.18.1"},
        "libs": [{"name": "a", "path": "/bin/a"}],
        "shared": {
            "stringArray": ["main", "work", "JIT", "a", "0x4d"],
            "stackTable": {"frame": [0, 1, 2, 3], "prefix": [None, 0, 0, 1]},
            "frameTable": {"func": [0, 1, 2, 3], "address": [-1, 7, -1, 77]},
            "funcTable": {"name": [0, 1, 2, 4], "resource": [0, 0, -1, 0]},
            "resourceTable": {"name": [3], "lib": [0]},
        },
        "threads": [
            {
                "name": "a",
                "pid": "12.1",
                "tid": 13,
                "samples": {
                    "stack": [1, 2, 1, None, 3],
                    "time": [0, 1, 2.5, 3, 4],
                    "weight": [1, 2, 1, 1, 5],
                    "weightType": "samples",
                },
            }
        ],
    }
    profile["threads"][0]["samples"].update(changes)
    return profile


def of_version(profile: dict[str, Any], version: int) -> dict[str, Any]:
    """The same in another version, changed as src/profile-logic/processed-profile-versioning.ts of
    firefox-devtools/profiler changes it, or backwards."""
    profile["meta"]["preprocessedProfileVersion"] = version
    shared = profile["shared"]
    stacks, frames, functions, resources = (
        shared[f"{name}Table"] for name in ("stack", "frame", "func", "resource")
    )
    if version < 60:
        texts = shared.pop("stringArray")
        profile["threads"][0].update(shared)
        profile["shared"] = {"stringArray": texts}
    if version < 56:
        profile["threads"][0]["stringArray"] = profile.pop("shared")["stringArray"]
    if version >= 66:
        prefix = stacks.pop("prefix")
        stacks["prefixOffset"] = [
            0 if caller is None else row - caller for row, caller in enumerate(prefix)
        ]
    if version >= 70:
        of_resource = resources.pop("lib")
        frames["lib"] = [
            -1 if functions["resource"][func] < 0 else of_resource[functions["resource"][func]]
            for func in frames["func"]
        ]
    if version >= 71:
        known = [
            address != -1 and lib != -1
            for address, lib in zip(frames["address"], frames["lib"], strict=True)
        ]
        frames["flags"] = [2 * each for each in known]
        frames["address"] = [
            address if each else 0 for address, each in zip(frames["address"], known, strict=True)
        ]
        frames["lib"] = [lib if each else 0 for lib, each in zip(frames["lib"], known, strict=True)]
    if version >= 75:
        functions["flags"] = [4 * (each >= 0) for each in functions["resource"]]
        functions["resource"] = [max(each, 0) for each in functions["resource"]]
    return profile


def written(path: Path, profile: dict[str, Any]) -> Path:
    path.write_text(json.dumps(profile))
    return path


def chains(path: Path) -> dict[tuple[str, ...], int]:
    """The functions of a stack with their binaries, leaf first -> weight."""
    parts = batches(path)
    symbols = {
        key: f"{name} {dso}" for part in parts for key, name, dso, _ in part.symbols.iter_rows()
    }
    stacks = dict(row for part in parts for row in part.stacks.iter_rows())
    found: dict[tuple[str, ...], int] = {}
    rows = pl.concat([part.samples for part in parts])
    for stack, weight in rows.select("stack_id", pl.coalesce("period", "count")).iter_rows():
        key = tuple(symbols[each] for each in stacks[stack])
        found[key] = found.get(key, 0) + weight
    return found


@pytest.mark.parametrize("version", [41, 55, 56, 59, 60, 65, 66, 69, 75])
def test_stacks_are_those_of_every_version(tmp_path: Path, version: int) -> None:
    # From 70 on the binary of a frame without an address is that of its resource's name.
    path = written(tmp_path / "a.json", of_version(small(), version))
    assert chains(path) == {
        ("work /bin/a", "main /bin/a"): 2,
        ("JIT [unknown]", "main /bin/a"): 2,
        ("[unknown] [unknown]",): 1,
        ("[unknown] /bin/a", "work /bin/a", "main /bin/a"): 5,
    }


def test_columns_of_samples(tmp_path: Path) -> None:
    parts = batches(written(tmp_path / "a.json", small()))
    rows = pl.concat([part.samples for part in parts])
    assert rows["comm"].unique().to_list() == ["a"]
    assert rows.select("pid", "tid").unique().rows() == [(12, 13)]
    assert rows["time_ns"].to_list() == [0, 1_000_000, 2_500_000, 3_000_000, 4_000_000]
    assert rows["count"].to_list() == [1, 2, 1, 1, 5]
    assert rows["period"].to_list() == [None] * 5
    facts = parts[-1].facts
    assert facts.kernel_release == "6.18.1"
    assert {name: event.unit for name, event in facts.events.items()} == {"samples": "sample"}
    assert facts.limitations == {}
    symbols = pl.concat([part.symbols for part in parts])
    assert symbols.filter(name="[unknown]", dso="/bin/a")["address"].to_list() == [77]


@pytest.mark.slow
def test_samples_of_samply_are_those_of_perf(tmp_path: Path) -> None:
    report = (SAMPLY.parent / "perf-report.txt").read_text()
    rows = re.findall(r"^ +[\d.]+% +(\d+)  (\S+) +\[(.)\] (\S+)", report, re.MULTILINE)
    expected: dict[tuple[str, str], int] = {}
    for count, dso, kind, name in rows:
        named = name.replace("__x64_sys", "__do_sys") if kind == "k" else "[unknown]"  # one address
        key = (named, dso)
        expected[key] = expected.get(key, 0) + int(count)
    with perfduck.open(tmp_path / "s.duckdb") as store:
        [result] = store.ingest(SAMPLY)
        assert result.name == "samply"
        found = store.sql(
            "select function, parse_filename(dso) as dso, sum(weight)::bigint as n from hit"
            " where event = 'samples' group by all"
        ).frame
        assert {(name, dso): n for name, dso, n in found.iter_rows()} == expected
        cpu = store.sql("select sum(weight)::bigint, count(*) from hit where event = 'cpu'").frame
        # perf's period is 1,001,001 ns; samply has whole us. The first one means nothing.
        assert cpu.row(0) == (178 * 1_001_000, 178)
        times = store.sql("select (max(time_ns) - min(time_ns)) / 1e9 from hit").frame.item()
        assert times == pytest.approx(63188.998970726 - 63188.031829528, abs=1e-5)
    assert sum(expected.values()) == 179


@pytest.mark.slow
@pytest.mark.parametrize("name", ["native.udp64.1", "docker0-nat.crr.2"])
def test_export_and_ingest_keep_stacks_sums_and_threads(
    demo_store: Path, tmp_path: Path, name: str
) -> None:
    demo = perfduck.open(demo_store)
    demo.export(name, "firefox").write(tmp_path / "back.json")
    rows = (
        "select event, comm, tid, stack_id, weight, time_ns - min(time_ns) over () as time"
        " from hit where profile = $name order by all"
    )
    with perfduck.open(tmp_path / "back.duckdb") as store:
        store.ingest(tmp_path / "back.json")
        assert store.export("back").text == demo.export(name).text
        ours = store.sql(rows, {"name": "back"}).frame
        assert ours.equals(demo.sql(rows, {"name": name}).frame)


def test_the_time_of_recording_is_utc_in_every_time_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        with perfduck.open(tmp_path / "s.duckdb") as store:
            store.ingest(SAMPLY)
            exported = json.loads(store.export("samply", "firefox").text)
            packed = b"".join(store.export("samply", "pprof").parts())
    finally:
        monkeypatch.undo()
        time.tzset()
    wanted = json.loads(gzip.decompress(SAMPLY.read_bytes()))["meta"]["startTime"]
    assert exported["meta"]["startTime"] == pytest.approx(wanted, abs=1)
    message = Profile.FromString(gzip.decompress(packed))
    assert message.time_nanos / 1e6 == pytest.approx(wanted, abs=1)


@pytest.mark.slow
def test_units_and_missing_times_come_back(tmp_path: Path) -> None:
    folded = FIXTURES / "folded" / "net-chain.inferno.folded"
    with perfduck.open(tmp_path / "s.duckdb") as store:
        store.ingest(folded, name="off", event="off-cpu=us")
        store.export("off", "firefox").write(tmp_path / "back.json")
        store.ingest(tmp_path / "back.json")
        assert store.export("back").text == store.export("off").text
        back = store.sql("select distinct event, unit from event").frame
        assert back.rows() == [("off-cpu", "us")]
        times = store.sql("select count(time_ns) from hit where profile = 'back'").frame.item()
        assert times == 0
        said = store.sql("select text from limitation where code = 'firefox'").frame.item()
        assert said.startswith("left out of the Firefox profile: times of samples (")


@pytest.mark.parametrize(
    ("kind", "event", "weights"),
    [
        ("tracing-ms", ("tracing", "ns"), [1_500_000, 2_000_000, 1_000_000, 1_000_000, 5_000_000]),
        ("bytes", ("bytes", "byte"), [2, 2, 1, 1, 5]),
    ],
)
def test_a_type_of_weights_is_an_event(
    tmp_path: Path, kind: str, event: tuple[str, str], weights: list[int]
) -> None:
    profile = small(weightType=kind, weight=[1.5 if kind != "bytes" else 2, 2, 1, 1, 5])
    parts = batches(written(tmp_path / "a.json", profile))
    rows = pl.concat([part.samples for part in parts])
    assert rows["period"].to_list() == weights
    [(name, of)] = parts[-1].facts.events.items()
    assert (name, of.unit) == event


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    profile = small(weight=[1, 0, 1.25, 1, 5], threadCPUDelta=[9, 2, None, 0, 1])
    profile["meta"]["sampleUnits"] = {"threadCPUDelta": "variable CPU cycles"}
    profile["counters"] = [{"length": 4}]
    profile["threads"][0] |= {"markers": {"length": 3}, "jsAllocations": {"length": 2}}
    [facts] = [part.facts for part in batches(written(tmp_path / "a.json", profile))][-1:]
    assert facts.limitations["firefox"].text == (
        "left out of the Firefox profile: rows of counters (4), markers (3), allocations (2),"
        " decimals of weights of samples (1), samples of weight 0 of samples (1),"
        " CPU times of samples in variable CPU cycles (5)"
    )


def test_cpu_times_are_an_event_beside_the_samples(tmp_path: Path) -> None:
    profile = small(threadCPUDelta=[9, 2.5, None, 0, 1])
    profile["meta"]["sampleUnits"] = {"threadCPUDelta": "µs"}
    rows = pl.concat([part.samples for part in batches(written(tmp_path / "a.json", profile))])
    assert rows.filter(event="cpu")["period"].to_list() == [2500, 1000]
    assert rows.filter(event="samples")["count"].sum() == 10


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p["meta"].update(preprocessedProfileVersion=40), "version 40 of the format, and"
         " perfduck knows 41 to 75: open it in the Firefox Profiler and save it again"),
        (lambda p: p["meta"].update(preprocessedProfileVersion=99), "version 99 of the format"),
        (lambda p: p["shared"]["stackTable"].update(prefix=[None, 1, 0, 1]), "a stack whose"),
        (lambda p: p["shared"]["stackTable"].update(prefix=[None, 0]), "a stack whose caller"),
        (lambda p: p["shared"]["stackTable"].update(frame=[0, 1, 2, 9]), "a frame numbered 9"),
        (lambda p: p["shared"]["frameTable"].update(func=[0, 1, 2, -1]), "a function numbered"),
        (lambda p: p["shared"]["funcTable"].update(name=[0, 1, 2, 7]), "a text numbered 7"),
        (lambda p: p["shared"]["resourceTable"].update(lib=[5]), "a number that leads nowhere"),
        (lambda p: p["threads"][0]["samples"].update(stack=[1, 2, 1, 9, 3]), "a stack numbered 9"),
        (lambda p: p["threads"][0]["samples"].update(weight=[1]), "1 weights or times of 5"),
        (lambda p: p["threads"][0]["samples"].update(weight=[-1, 2, 1, 1, 1]), "a weight below 0"),
        (lambda p: p["threads"][0]["samples"].update(time=[1e300] * 5), "a time of"),
        (lambda p: p["threads"][0]["samples"].update(weight=[1e18] * 5), "more than 62 bits"),
        (lambda p: p["threads"][0]["samples"].update(weightType="joules"), "of type 'joules'"),
        (lambda p: p["threads"][0].update(samples=[]), "Expected `object`, got `array`"),
    ],
)  # fmt: skip
def test_what_leads_nowhere_is_refused_in_a_line(tmp_path: Path, change: Any, said: str) -> None:
    profile = small()
    change(profile)
    with pytest.raises(PerfduckError) as error:
        batches(written(tmp_path / "a.json", profile))
    assert said in str(error.value)
    assert "expected a whole profile of the Firefox Profiler, got " in str(error.value)
    assert "\n" not in str(error.value)


class CountedLookUps(FunctionChains):
    def __init__(self) -> None:
        super().__init__()
        self.look_ups = 0

    def ids(self, functions: pl.DataFrame) -> Int64:
        self.look_ups += 1
        return super().ids(functions)


def test_functions_that_threads_share_are_looked_up_once() -> None:
    """A thousand threads that share a million functions took minutes."""
    shared, chains = small()["shared"], CountedLookUps()
    tables = msgspec.convert(shared, ProfileTables)
    stacks = StackIds(tables, tables.string_array, [MappedBinary("a", "/bin/a")], chains)
    first, second = (stacks.of([1, 2, 1]) for _ in range(2))
    assert chains.look_ups == 1
    assert first[1].stack_ids.tolist() == second[1].stack_ids.tolist()
    assert (first[1].stacks.height, second[1].stacks.height) == (2, 0)


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"most_firefox_bytes": 100}, "more than 0 MB"),
        ({"most_message_numbers": 5}, "more than 5 frames of stacks"),
        ({"most_stack_frames": 2}, "more than 2 frames of a stack"),
    ],
)
def test_what_a_few_bytes_multiply_is_bounded(
    tmp_path: Path, set_limits: SetLimits, bounds: dict[str, int], said: str
) -> None:
    path = written(tmp_path / "a.json", small())
    set_limits(**bounds)
    with pytest.raises(PerfduckError, match=said):
        batches(path)


def test_a_cut_file_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(gzip.decompress(SAMPLY.read_bytes())[:5000])
    done = run(["ingest", path, "--store", tmp_path / "s.duckdb"])
    assert done.returncode == 2
    assert (
        b"expected a whole profile of the Firefox Profiler, got Input data was trunc" in done.stderr
    )
