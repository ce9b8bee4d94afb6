"""Profiles of OpenTelemetry, made with its own package: every type is an event of its own."""

import gzip
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.profiles.v1development import profiles_pb2 as otlp
from otlp_messages import Dictionary, message, of_pprof_file
from set_limits import SetLimits

import perfduck
from perfduck_ingest.formats import opened
from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch, Facts
from perfduck_model.errors import PerfduckError
from perfduck_model.zstandard import zstd

FIXTURES = Path(__file__).parents[1] / "fixtures"
ROW = ("stack_id", "event", "comm", "pid", "tid", "cpu", "time_ns", "count", "period")


def read(path: Path, content: Any, format: str = "otlp") -> tuple[pl.DataFrame, list[Batch], Facts]:
    path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    with Source(str(path)) as source:
        recording = opened(source)
        assert recording.format == format
        batches = list(recording.batches(ImportOptions()))
    return pl.concat([each.samples for each in batches]), batches, batches[-1].facts


def one_stack(**type_: Any) -> tuple[Dictionary, otlp.Profile]:
    """A profile without samples, and a dictionary with the stack 1: f of /bin/a."""
    made = Dictionary()
    made.stack(made.location(["f"], "/bin/a"))
    name, unit = type_.pop("type_", ("cpu", "nanoseconds"))
    return made, otlp.Profile(sample_type=made.type(name, unit), **type_)


def shown(samples: pl.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return samples.select(columns).rows()


@pytest.mark.parametrize("name", ["cpu", "heap"])
def test_the_same_profile_of_pprof_has_the_same_samples(tmp_path: Path, name: str) -> None:
    content = (FIXTURES / "pprof" / f"{name}.pb").read_bytes()
    content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    wanted, _, of_pprof = read(tmp_path / "a.pb", content, "pprof")
    converted = of_pprof_file(content)
    packed = gzip.compress(converted.SerializeToString())
    texts = [json_format.MessageToJson(converted, indent=indent).encode() for indent in (None, 1)]
    for form in (converted, packed, *texts):
        samples, _, facts = read(tmp_path / "b.pb", form)
        same = samples.filter(pl.col("event").is_in(list(of_pprof.events)))
        assert same.select(ROW).sort(ROW).equals(wanted.select(ROW).sort(ROW))
        assert facts.events.items() >= of_pprof.events.items()
        assert (facts.started_at, facts.duration_s) == (of_pprof.started_at, of_pprof.duration_s)


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("is_json", [False, True])
def test_messages_behind_their_lengths(tmp_path: Path, is_json: bool, is_packed: bool) -> None:
    made, profile = one_stack()
    profile.samples.add(stack_index=1, values=[5, 7])
    parts = [message(made, profile).SerializeToString(), message(made, profile).SerializeToString()]
    if is_json:
        parts = [
            json_format.MessageToJson(otlp.ProfilesData.FromString(each), indent=None).encode()
            for each in parts
        ]
    if is_packed:
        parts = [zstd.compress(each) for each in parts]
    content = b"".join(len(each).to_bytes(4, "big") + each for each in parts)
    samples, _, _ = read(tmp_path / "a.binpb", content)
    assert samples["period"].to_list() == [5, 7, 5, 7]
    with pytest.raises(PerfduckError, match="whole profiles of OTLP, got a part of a message"):
        read(tmp_path / "a.binpb", content[:-3])


def test_a_message_behind_its_length_is_bounded(tmp_path: Path, set_limits: SetLimits) -> None:
    made, profile = one_stack()
    profile.samples.add(stack_index=1, values=[5, 7])
    packed = zstd.compress(message(made, profile).SerializeToString() + b"\x0a\0" * 5000)
    set_limits(most_json_bytes=5000)
    with pytest.raises(PerfduckError, match="expected at most 0 MB a message, got more"):
        read(tmp_path / "a.binpb", len(packed).to_bytes(4, "big") + packed)


def test_a_cut_frame_behind_its_length_is_refused(tmp_path: Path) -> None:
    made, profile = one_stack()
    profile.samples.add(stack_index=1, values=[5, 7])
    packed = zstd.compress(message(made, profile).SerializeToString())[:-4]
    with pytest.raises(PerfduckError, match="a message whose zstd frame has another length"):
        read(tmp_path / "a.binpb", len(packed).to_bytes(4, "big") + packed)


@pytest.mark.slow
def test_kernel_recordings_keep_functions_and_labels(demo_store: Path, tmp_path: Path) -> None:
    demo = perfduck.open(demo_store)
    demo.export("native.udp64.1", "pprof").write(tmp_path / "a.pb.gz")
    content = gzip.decompress((tmp_path / "a.pb.gz").read_bytes())
    (tmp_path / "b.pb").write_bytes(of_pprof_file(content).SerializeToString())
    with perfduck.open(tmp_path / "s.duckdb") as store:
        for name in ("a.pb.gz", "b.pb"):
            store.ingest(tmp_path / name)
        for filters in ({}, {"subsystem": "udp"}, {"comm": "iperf3"}):
            a, b = (
                store.top(name, limit=9999, event="cpu-clock", **filters).frame  # type: ignore[arg-type]
                for name in ("a", "b")
            )
            assert a.height > 0
            assert a.sort("*").equals(b.sort("*"))


def test_samples_stand_for_their_period(tmp_path: Path) -> None:
    made, profile = one_stack(type_=("samples", "count"), period=50_000_000)
    profile.period_type.CopyFrom(made.type("cpu", "nanoseconds"))
    attributes = [
        made.attribute("thread.name", "iperf3"),
        made.attribute("thread.id", 8),
        made.attribute("process.pid", 7),
        made.attribute("cpu.logical_number", 0),
        made.attribute("http.route", "/"),
    ]
    profile.samples.add(
        stack_index=1, attribute_indices=attributes, timestamps_unix_nano=[100, 250], link_index=1
    )
    profile.samples.add(stack_index=1, values=[3])
    content = message(made, profile, host_name="node7", process_pid=5, k8s_pod="a")
    samples, _, facts = read(tmp_path / "a.pb", content)
    assert shown(samples, "event", "comm", "pid", "tid", "cpu", "time_ns", "count", "period") == [
        ("cpu", "iperf3", 7, 8, 0, 100, 1, 50_000_000),
        ("cpu", "iperf3", 7, 8, 0, 250, 1, 50_000_000),
        ("cpu", None, 5, None, None, None, 3, 150_000_000),
    ]
    assert (facts.host, facts.events["cpu"].unit) == ("node7", "ns")
    assert facts.limitations["otlp"].text == (
        "1 of 3 values have no time; left out: attributes http.route, k8s.pod; "
        "links to spans of 1 samples"
    )


def test_types_and_units_are_kept_apart(tmp_path: Path) -> None:
    made, profile = one_stack(period=10)
    profile.period_type.CopyFrom(profile.sample_type)
    profile.samples.add(stack_index=1, values=[40])
    others = [
        otlp.Profile(sample_type=made.type(*each), samples=[{"stack_index": 1, "values": [5]}])
        for each in (("cpu", "count"), ("off_cpu", "nanoseconds"), ("samples", "count"))
    ]
    samples, _, facts = read(tmp_path / "a.pb", message(made, profile, *others))
    assert shown(samples, "event", "count", "period") == [
        ("cpu", 4, 40), ("cpu in cpu", 1, 5), ("off_cpu", 1, 5), ("samples", 5, None)
    ]  # fmt: skip
    assert {name: each.unit for name, each in facts.events.items()} == {
        "cpu": "ns", "cpu in cpu": "cpu", "off_cpu": "ns", "samples": "sample"
    }  # fmt: skip


def test_frames_without_names_inlined_ones_and_the_kernel(tmp_path: Path) -> None:
    made, profile = one_stack()
    kernel = made.location(["tcp_sendmsg"], "vmlinux", profile_frame_type="kernel")
    inlined = made.location(["memcpy", "send"], "/lib/c.so")
    nameless = made.location([], "/bin/b", 4096 + 77, start=4096)
    profile.samples.add(stack_index=made.stack(kernel, inlined, nameless), values=[1])
    profile.samples.add(values=[1])
    samples, batches, _ = read(tmp_path / "a.pb", message(made, profile))
    symbols = pl.concat([each.symbols for each in batches])
    names = {row["symbol_id"]: row for row in symbols.to_dicts()}
    stacks = pl.concat([each.stacks for each in batches])
    chain = stacks.filter(stack_id=samples["stack_id"][0])["symbol_ids"][0]
    assert [tuple(names[each].values())[1:] for each in chain] == [
        ("tcp_sendmsg", "[kernel.kallsyms]", None), ("memcpy", "/lib/c.so", None),
        ("send", "/lib/c.so", None), ("[unknown]", "/bin/b", 77),
    ]  # fmt: skip
    assert stacks.filter(stack_id=samples["stack_id"][1])["symbol_ids"][0].len() == 1


def test_lines_of_the_collector_have_dictionaries_of_their_own(tmp_path: Path) -> None:
    lines = []
    for name, host in (("f", "a"), ("g", "b")):
        made, profile = one_stack()
        stack = made.stack(made.location([name], "/bin/x"))
        profile.samples.add(stack_index=stack, values=[1])
        text = json_format.MessageToJson(message(made, profile, host_name=host), indent=None)
        lines.append(text)
    samples, batches, facts = read(tmp_path / "a.jsonl", "\n".join(lines).encode())
    assert samples["stack_id"].n_unique() == 2
    assert facts.host is None
    assert "hosts a, b, as there are several" in facts.limitations["otlp"].text
    assert {"f", "g"} == {name for batch in batches for name in batch.symbols["name"]}


@pytest.mark.slow
def test_attributes_of_resources_are_labels_and_containers(tmp_path: Path) -> None:
    container = "0123456789ab" * 5 + "cdef"
    made, profile = one_stack()
    profile.samples.add(stack_index=1, values=[5])
    said = {
        "service.name": "checkout", "k8s.pod.name": "checkout-7", "container.id": container,
        "host.name": "node1", "telemetry.sdk.name": "x",
    }  # fmt: skip
    (tmp_path / "a.pb").write_bytes(resources(made, profile, said).SerializeToString())
    with perfduck.open(tmp_path / "s.duckdb") as store:
        store.ingest(tmp_path / "a.pb", labels={"service.name": "mine", "run": "1"})
        found = store.sql("select labels, host from profile").frame.row(0, named=True)
        assert found["labels"] == {"service.name": "mine", "run": "1", "k8s.pod.name": "checkout-7"}
        assert found["host"] == "node1"
        assert store.sql("select distinct cgroup from hit").frame.item() == f"/{container}"
        [row] = store.top("k8s.pod.name=checkout-7", by="pod").frame.iter_rows(named=True)
        assert container[:12] in row["pod"]
        said_left = store.sql("select text from limitation").frame.item()
        assert said_left.endswith("left out: attributes telemetry.sdk.name")


def test_attributes_that_resources_do_not_share_are_no_labels(tmp_path: Path) -> None:
    made, profile = one_stack()
    profile.samples.add(stack_index=1, values=[5])
    both = [{"service.name": "a", "k8s.node.name": "n"}, {"service.name": "b"}]
    _, _, facts = read(tmp_path / "a.pb", resources(made, profile, *both))
    assert facts.labels == {}
    assert facts.limitations["otlp"].text.endswith("attributes service.name, k8s.node.name")


def resources(made: Dictionary, profile: otlp.Profile, *said: dict[str, str]) -> Any:
    """A message with the profile in resources of these attributes."""
    whole = message(made, profile)
    for attributes in said:
        resource = whole.resource_profiles.add()
        resource.CopyFrom(whole.resource_profiles[0])
        del resource.resource.attributes[:]
        for key, value in attributes.items():
            resource.resource.attributes.add(key=key).value.string_value = value
    del whole.resource_profiles[0]
    return whole


REFUSED = {
    "a difference": {"stack_index": 1, "values": [-5]},
    "a sample without values and times": {"stack_index": 1},
    "2 values and 1 times": {"values": [1, 2], "timestamps_unix_nano": [5]},
    "a stack numbered 9": {"stack_index": 9, "values": [1]},
    "a stack numbered -1": {"stack_index": -1, "values": [1]},
    "a number that leads nowhere": {"stack_index": 1, "attribute_indices": [99], "values": [1]},
    "a number that leads nowhere (-3)": {"attribute_indices": [-3], "values": [1]},
    "more than 62 bits": {"stack_index": 1, "values": [1 << 62, 1 << 62]},
    "a time of": {"stack_index": 1, "timestamps_unix_nano": [1 << 63]},
}


@pytest.mark.parametrize("says", REFUSED)
def test_samples_that_lead_nowhere_are_refused(tmp_path: Path, says: str) -> None:
    made, profile = one_stack()
    profile.samples.add(**REFUSED[says])
    wanted = "the difference of two profiles" if says == "a difference" else says
    with pytest.raises(PerfduckError) as refused:
        read(tmp_path / "a.pb", message(made, profile))
    assert wanted in str(refused.value)
    assert "expected whole profiles of OTLP" in str(refused.value)


def test_locations_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    for table, row in (("location_table", {"mapping_index": -1}),
                       ("location_table", {"lines": [{"function_index": 7}]}),
                       ("stack_table", {"location_indices": [-2]})):  # fmt: skip
        made, profile = one_stack()
        getattr(made.message, table).add(**row)
        made.message.stack_table.add(location_indices=[len(made.message.location_table) - 1])
        profile.samples.add(stack_index=len(made.message.stack_table) - 2, values=[1])
        profile.samples.add(stack_index=len(made.message.stack_table) - 1, values=[1])
        with pytest.raises(PerfduckError, match=r"numbered -?[127]"):
            read(tmp_path / "a.pb", message(made, profile))


def test_two_messages_in_a_row_are_refused(tmp_path: Path) -> None:
    content = (FIXTURES / "otlp" / "cpu.pb").read_bytes()
    with pytest.raises(PerfduckError, match="2 messages in a row"):
        read(tmp_path / "a.pb", content * 2)


def test_frames_that_multiply_and_long_json_are_refused(
    tmp_path: Path, set_limits: SetLimits
) -> None:
    made, profile = one_stack()
    many = made.location([f"f{number}" for number in range(100)], "/bin/a")
    profile.samples.add(stack_index=made.stack(*[many] * 100), values=[1])
    content = message(made, profile)
    set_limits(most_message_numbers=5000, most_json_bytes=1000)
    with pytest.raises(PerfduckError, match="more than 5,000 frames"):
        read(tmp_path / "a.pb", content)
    with pytest.raises(PerfduckError, match="a message, got more"):
        read(tmp_path / "a.json", json_format.MessageToJson(content).encode())
    set_limits(most_message_numbers=99)
    with pytest.raises(PerfduckError, match="more than 99 locations of stacks"):
        read(tmp_path / "a.pb", content)
    set_limits(most_message_numbers=5000, most_table_rows=50)
    with pytest.raises(PerfduckError, match="more than 50 rows of a table"):
        read(tmp_path / "a.pb", content)
    set_limits(most_table_rows=110, most_stack_frames=1000, most_message_numbers=50_000)
    with pytest.raises(PerfduckError, match="more than 1,000 frames of a stack"):
        read(tmp_path / "a.pb", content)


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"most_sample_types": 2}, "more than 2 types of values"),
        ({"most_text_bytes": 2100}, "more than 2,100 bytes of texts"),
        ({"most_field_bytes": 2230}, "more than 2,230 bytes of resources"),
        ({"most_table_rows": 19}, "more than 19 functions of locations"),
        ({"most_message_numbers": 9}, "more than 9 attributes of samples"),
    ],
)
def test_what_a_few_bytes_multiply_is_bounded(
    tmp_path: Path, set_limits: SetLimits, bounds: dict[str, int], said: str
) -> None:
    made, profile = one_stack()
    made.location(["f"] * 20, "/bin/a" + "x" * 2200)
    profile.samples.add(stack_index=1, values=[1], attribute_indices=[0] * 10)
    others = [otlp.Profile(sample_type=made.type(name, "bytes")) for name in ("a", "b", "c")]
    content = message(made, profile, *others)
    attribute = content.resource_profiles[0].resource.attributes.add(key="k")
    attribute.value.string_value = "x" * 2300
    read(tmp_path / "a.pb", content)
    set_limits(**bounds)
    with pytest.raises(PerfduckError, match=said):
        read(tmp_path / "a.pb", content)


ROWS = st.lists(st.lists(st.integers(0, 10**12), min_size=1, max_size=5), min_size=1, max_size=20)


@pytest.mark.slow
@given(ROWS, st.booleans())
def test_sums_are_those_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[int]], is_json: bool
) -> None:
    made, profile = one_stack(type_=("alloc_space", "bytes"))
    for values in rows:
        profile.samples.add(stack_index=1, values=values)
    content = message(made, profile)
    form = json_format.MessageToJson(content).encode() if is_json else content
    samples, _, facts = read(tmp_path_factory.getbasetemp() / "sums.pb", form)
    assert samples["period"].sum() == sum(map(sum, rows))
    assert facts.events["alloc_space"].unit == "byte"


@pytest.mark.slow
@given(st.data(), st.sampled_from(["cpu.pb", "cpu.jsonl"]))
def test_what_is_cut_or_changed_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, name: str
) -> None:
    content = bytearray((FIXTURES / "otlp" / name).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[place:]
    else:
        content[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "changed.pb"
    path.write_bytes(content)
    with Source(str(path)) as source, suppress(PerfduckError):
        list(opened(source).batches(ImportOptions()))
