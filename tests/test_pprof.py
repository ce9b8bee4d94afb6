"""pprof's profiles: every value is an event of its own, with its unit."""

import gzip
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from command import run
from hypothesis import given
from hypothesis import strategies as st
from set_limits import SetLimits

import perfduck
from perfduck_ingest.formats import opened
from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.message_parts import MessageError, message_parts
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch, Facts
from perfduck_model.errors import PerfduckError
from perfduck_model.pprof_schema import Profile

PPROF = Path(__file__).parents[1] / "fixtures" / "pprof"


def read(path: Path, message: Any = None) -> tuple[pl.DataFrame, list[Batch], Facts]:
    if message is not None:
        path.write_bytes(message if isinstance(message, bytes) else message.SerializeToString())
    with Source(str(path)) as source:
        recording = opened(source)
        assert recording.format == "pprof"
        batches = list(recording.batches(ImportOptions()))
    return pl.concat([each.samples for each in batches]), batches, batches[-1].facts


def made(values: list[list[int]], types: list[tuple[str, str]], **more: Any) -> Any:
    """A profile with a sample for each row of values, all with one stack."""
    texts = list(dict.fromkeys(["", *(word for each in types for word in each), "f", "/bin/a"]))
    return Profile(
        sample_type=[{"type": texts.index(a), "unit": texts.index(b)} for a, b in types],
        sample=[{"location_id": [1], "value": row} for row in values],
        mapping=[{"id": 1, "filename": texts.index("/bin/a"), "memory_start": 4096}],
        location=[{"id": 1, "mapping_id": 1, "line": [{"function_id": 1}]}],
        function=[{"id": 1, "name": texts.index("f")}],
        string_table=texts,
        **more,
    )


def test_a_cpu_profile_of_go_is_time_with_its_samples() -> None:
    samples, batches, facts = read(PPROF / "cpu.pb")
    assert samples.select("event", "count", "period").rows() == [
        ("cpu", 4, 40_000_000), ("cpu", 4, 40_000_000), ("cpu", 1, 10_000_000)
    ]  # fmt: skip
    assert facts.events["cpu"].unit == "ns"
    assert facts.duration_s is not None
    assert {"main.main", "runtime.main"} <= {
        name for batch in batches for name in batch.symbols["name"]
    }


def test_each_type_of_a_heap_profile_is_an_event() -> None:
    samples, _, facts = read(PPROF / "heap.pb")
    units = {name: event.unit for name, event in facts.events.items()}
    assert units == {
        "alloc_objects": "alloc_objects", "alloc_space": "byte",
        "inuse_objects": "inuse_objects", "inuse_space": "byte",
    }  # fmt: skip
    assert set(samples["event"]) == set(units)
    assert "labels bytes" in facts.limitations["pprof"].text


@pytest.mark.slow
def test_go_and_the_kernel_are_never_added_up(demo_store: Path, tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    recorded = PPROF.parent / "perf_script" / "net-chain" / "input.txt.xz"
    for path in (PPROF / "heap.pb", PPROF / "cpu.pb", recorded):
        assert run(["ingest", path, "--store", store]).returncode == 0
    top = run(["top", "*", "--store", store]).stdout.decode()
    assert "taken as one event: cpu-clock" in top  # CPU time of both
    assert "cpu (1 profile" in top
    assert "left out: 1 profile without" in top
    both = run(["top", "*", "--event", "*", "--store", store])
    assert both.returncode == 2
    assert b"expected events of one unit" in both.stderr


@pytest.mark.slow
def test_export_and_ingest_keep_stacks_sums_and_labels(demo_store: Path, tmp_path: Path) -> None:
    demo = perfduck.open(demo_store)
    demo.export("native.udp64.1", "pprof").write(tmp_path / "back.pb.gz")
    with perfduck.open(tmp_path / "back.duckdb") as store:
        [result] = store.ingest(tmp_path / "back.pb.gz")
        assert result.name == "back"
        assert store.export("back").text == demo.export("native.udp64.1").text
        for filters in ({}, {"cpu": "1"}, {"subsystem": "udp"}, {"comm": "iperf3"}):
            tables = [
                each.top(name, limit=9999, **filters).frame  # type: ignore[arg-type]
                for each, name in ((store, "back"), (demo, "native.udp64.1"))
            ]
            names = [table.select("function", "dso", "subsystem").sort("*") for table in tables]
            assert names[0].equals(names[1])
            weights = [table["self"].sum() for table in tables]
            assert weights[0] * 1e6 / 2168120 == pytest.approx(weights[1], rel=1e-9)


def test_rates_and_labels_that_are_left_out_are_said(tmp_path: Path) -> None:
    types = [("samples", "count"), ("cpu", "nanoseconds"), ("cpu/packet", "ps/packet")]
    samples, _, facts = read(tmp_path / "a.pb", made([[1, 10, 3]], types))
    assert samples["event"].to_list() == ["cpu"]
    assert facts.limitations["pprof"].text.endswith("left out: cpu/packet in ps/packet")


def test_a_difference_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PerfduckError, match="got a difference of two"):
        read(tmp_path / "a.pb", made([[5], [-3]], [("cpu", "nanoseconds")]))


def test_code_without_a_name_has_its_address_and_a_stack_may_be_empty(tmp_path: Path) -> None:
    message = made([[5]], [("cpu", "nanoseconds")])
    message.location[0].ClearField("line")
    message.location[0].address = 4096 + 77
    message.sample.add(value=[2])
    samples, batches, _ = read(tmp_path / "a.pb", message)
    symbols = pl.concat([each.symbols for each in batches]).select("name", "dso", "address")
    assert set(symbols.rows()) == {("[unknown]", "/bin/a", 77), ("[unknown]", "[unknown]", None)}
    assert samples["period"].to_list() == [5, 2]


ROWS = st.lists(st.lists(st.integers(0, 10**12), min_size=2, max_size=2), min_size=1, max_size=20)


@pytest.mark.slow
@given(ROWS, st.booleans())
def test_sums_of_each_type_are_those_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[int]], packed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "sums.pb"
    message = made(rows, [("delay", "nanoseconds"), ("space", "bytes")]).SerializeToString()
    samples, _, _ = read(path, gzip.compress(message) if packed else message)
    for place, event in enumerate(("delay", "space")):
        of_event = samples.filter(event=event)
        assert of_event["period"].sum() == sum(row[place] for row in rows)
        assert of_event.height == sum(row[place] > 0 for row in rows)


@pytest.mark.slow
@given(st.data())
def test_what_is_cut_or_changed_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(made([[5, 1]] * 3, [("a", "count"), ("b", "bytes")]).SerializeToString())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[place:]
    else:
        content[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "changed.pb"
    path.write_bytes(content)
    with Source(str(path)) as source, suppress(PerfduckError):
        list(opened(source).batches(ImportOptions()))


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(1, 50))
def test_parts_of_a_message_are_the_message(values: list[bytes], size: int) -> None:
    message = b"".join(b"\x32" + bytes([len(value)]) + value for value in values)
    chunks = [message[start : start + size] for start in range(0, len(message), size)]
    assert b"".join(message_parts(chunks)) == message


def test_a_length_that_is_only_claimed_is_refused(set_limits: SetLimits) -> None:
    set_limits(most_message_bytes=1000)
    with pytest.raises(MessageError, match="at most 0 MB"):
        list(message_parts([b"\x0a\xff\xff\xff\xff\x0f" + bytes(2000)]))
    with pytest.raises(MessageError, match="a part of a protobuf message"):
        list(message_parts([b"\x0a\x05ab"]))


def test_more_samples_than_the_bound_are_refused(tmp_path: Path, set_limits: SetLimits) -> None:
    set_limits(most_messages=10)
    with pytest.raises(PerfduckError, match="more than 10 samples"):
        read(tmp_path / "a.pb", made([[1]] * 11, [("cpu", "nanoseconds")]))


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"most_sample_types": 1}, "more than 1 types of values"),
        ({"most_text_bytes": 20}, "more than 20 bytes of texts"),
        ({"most_table_rows": 19}, "more than 19 functions of locations"),
        ({"most_field_bytes": 19}, "a field of .* bytes, and at most 0 MB are read"),
        ({"most_stack_frames": 199}, "more than 199 frames of a stack"),
        ({"most_message_numbers": 399}, "more than 399 frames of stacks"),
    ],
)
def test_what_a_few_bytes_multiply_is_bounded(
    tmp_path: Path, set_limits: SetLimits, bounds: dict[str, int], said: str
) -> None:
    message = made([[5, 5]] * 2, [("cpu", "nanoseconds"), ("space", "bytes")])
    for sample in message.sample:
        sample.location_id.extend([1] * 9)
    for _ in range(19):
        message.location[0].line.add(function_id=1)
    read(tmp_path / "a.pb", message)
    set_limits(**bounds)
    with pytest.raises(PerfduckError, match=said):
        read(tmp_path / "a.pb", message)


@pytest.mark.slow
def test_samples_of_folded_stacks_are_one_type_of_an_export(tmp_path: Path) -> None:
    with perfduck.open(tmp_path / "s.duckdb") as store:
        store.ingest(PPROF.parent / "folded" / "net-chain.inferno.folded", name="folded")
        store.export("folded", "pprof").write(tmp_path / "back.pb.gz")
        store.ingest(tmp_path / "back.pb.gz")
        assert store.export("back").text == store.export("folded").text
    message = Profile.FromString(gzip.decompress((tmp_path / "back.pb.gz").read_bytes()))
    texts = message.string_table
    types = [(texts[each.type], texts[each.unit]) for each in message.sample_type]
    assert types == [("samples", "count")]


@pytest.mark.parametrize(
    ("types", "events"),
    [
        ([("samples", "count"), ("x", "a/b")], {"samples": 7}),
        ([("samples", "count"), ("sample", "count")], {"samples": 7, "sample": 9}),
        ([("sample", "count"), ("samples", "nanoseconds")], {"samples": 9}),
    ],
)
def test_samples_are_an_event_where_no_other_type_is_one(
    tmp_path: Path, types: list[tuple[str, str]], events: dict[str, int]
) -> None:
    samples, _, facts = read(tmp_path / "a.pb", made([[7, 9]], types))
    weight = pl.coalesce("period", "count")
    assert dict(samples.select("event", weight).iter_rows()) == events
    assert set(facts.events) == set(events)


def test_samples_of_an_older_export_are_there_twice(tmp_path: Path) -> None:
    types = [("samples", "count"), ("samples", "count"), ("cpu/packet", "fs/packet")]
    samples, _, facts = read(tmp_path / "a.pb", made([[7, 7, 1], [9, 9, 1]], types))
    assert samples["count"].to_list() == [7, 9]
    assert facts.events["samples"].unit == "sample"


def test_types_of_the_same_name_and_unit_are_refused(tmp_path: Path) -> None:
    types = [("cpu", "nanoseconds"), ("cpu", "bytes"), ("cpu", "nanoseconds")]
    with pytest.raises(PerfduckError, match="got more than one type cpu/nanoseconds"):
        read(tmp_path / "a.pb", made([[1, 2, 3]], types))
    types = [("cpu in bytes", "count"), ("cpu", "nanoseconds"), ("cpu", "bytes")]
    with pytest.raises(PerfduckError, match="more than one type cpu in bytes"):
        read(tmp_path / "a.pb", made([[1, 2, 3]], types))


@pytest.mark.parametrize("number", [1 << 40, (1 << 63) - 1, -5])
def test_numbers_that_no_label_can_have_are_null_and_counted(tmp_path: Path, number: int) -> None:
    message = made([[5], [6]], [("cpu", "nanoseconds")])
    message.string_table.extend(["pid", "cpu", "netns"])
    for place in (-3, -2, -1):
        key = len(message.string_table) + place
        message.sample[0].label.add(key=key, num=number)
        message.sample[1].label.add(key=key, num=3)
    samples, _, facts = read(tmp_path / "a.pb", message)
    assert samples.select("pid", "cpu", "netns").rows() == [(None, None, None), (3, 3, 3)]
    said = "3 invalid values of labels pid, cpu, netns"
    assert facts.limitations["pprof"].text.endswith(f"left out: {said}")


@pytest.mark.parametrize("place", ["type", "function", "mapping", "label"])
def test_a_text_of_a_number_below_0_is_refused(tmp_path: Path, place: str) -> None:
    message = made([[5, 5]], [("cpu", "nanoseconds"), ("space", "bytes")])
    message.sample[0].label.add(key=1, num=1)
    rows, field = {
        "type": (message.sample_type, "unit"),
        "function": (message.function, "name"),
        "mapping": (message.mapping, "filename"),
        "label": (message.sample[0].label, "str"),
    }[place]
    setattr(rows[-1], field, -2)
    with pytest.raises(PerfduckError, match="a number that leads nowhere \\(-2\\)"):
        read(tmp_path / "a.pb", message)


def test_samples_beyond_62_bits_are_refused(tmp_path: Path) -> None:
    types = [("samples", "count"), ("cpu", "nanoseconds")]
    with pytest.raises(PerfduckError, match=r"a\.pb: .* cpu that add up to more than 62"):
        read(tmp_path / "a.pb", made([[1 << 62, 1]] * 3, types))


def test_samples_without_a_value_are_counted(tmp_path: Path) -> None:
    types = [("samples", "count"), ("cpu", "nanoseconds")]
    samples, _, facts = read(tmp_path / "a.pb", made([[7, 0], [2, 5]], types))
    assert samples["count"].to_list() == [2]
    assert facts.limitations["pprof"].text.endswith("left out: 7 samples of value 0")


def test_an_event_in_a_rate_is_refused(tmp_path: Path) -> None:
    with perfduck.open(tmp_path / "s.duckdb") as store:
        folded = PPROF.parent / "folded" / "net-chain.inferno.folded"
        with pytest.raises(PerfduckError, match="expected a unit that adds up, got 'B/s'"):
            store.ingest(folded, event="x=B/s")


NAMES = ["f", "[x]", "[libc.so.6]", "[unknown]", "[none]", "[]", "[a;b]", "f_[k]", "-", "a b", ""]
FILES = ["", "/usr/lib/libc.so.6", "/bin/a;b", "/bin/[c]", "[vdso]", "memfd:x (deleted)"]


@pytest.mark.slow
def test_names_and_code_without_one_go_through_exports(tmp_path: Path) -> None:
    """What is in brackets is a name here, and the binary of code without one there."""
    frames = [(name, file) for name in NAMES for file in FILES]
    texts = list(dict.fromkeys(["", "cpu", "count", *NAMES, *FILES]))
    message = Profile(sample_type=[{"type": 1, "unit": 2}], string_table=texts)
    for number, (name, file) in enumerate(frames, 1):
        message.sample.add(location_id=[number, 1], value=[5])
        message.mapping.add(id=number, filename=texts.index(file))
        message.function.add(id=number, name=texts.index(name))
        message.location.add(id=number, mapping_id=number, line=[{"function_id": number}])
    (tmp_path / "a.pb").write_bytes(message.SerializeToString())
    with perfduck.open(tmp_path / "s.duckdb") as store:
        first = store.ingest(tmp_path / "a.pb") and store.export("a").text
        store.export("a", format="pprof").write(tmp_path / "b.pb")
        assert (store.ingest(tmp_path / "b.pb") and store.export("b").text) == first
        (tmp_path / "c.folded").write_text(first)
        assert (store.ingest(tmp_path / "c.folded") and store.export("c").text) == first
        kept = store.sql("select distinct name from symbol").frame["name"]
    assert set(kept) == {name or "[unknown]" for name in NAMES}


@pytest.mark.slow
def test_labels_of_a_file_reach_no_terminal(tmp_path: Path) -> None:
    """What is left out is said with its name, by every command."""
    message = made([[5]], [("cpu", "nanoseconds")])
    message.string_table.append("\x1b]0;owned\x07\n[/x]")
    message.sample[0].label.add(key=len(message.string_table) - 1, str=1)
    (tmp_path / "a.pb").write_bytes(message.SerializeToString())
    store = ["--store", tmp_path / "s.duckdb"]
    for words in (["ingest", tmp_path / "a.pb"], ["export", "a"], ["export", "a", "--format",
                  "speedscope"], ["top", "a", "--format", "json"], ["prune", "*", "--older-than",
                  "1d"]):  # fmt: skip
        done = run([*words, *store])
        assert done.returncode == 0
        assert b"\x1b" not in done.stderr + done.stdout
        assert all(line.startswith(b"perfduck: ") for line in done.stderr.splitlines())
