"""Network namespaces of samples; in a recording whose threads have them as names."""

import gzip
import lzma
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from set_limits import SetLimits

import perfduck
from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.network_namespaces import UNKNOWN, NamespaceChanges, NetworkNamespaces
from perfduck_ingest.perf_data import importer as perf_data
from perfduck_ingest.perf_script import importer as perf_script
from perfduck_ingest.source import Source

FOLDER = Path(__file__).parents[1] / "fixtures" / "network_namespaces"


def samples_of(path: Path) -> pl.DataFrame:
    importer = perf_data if ".data" in path.name else perf_script
    with Source(str(path)) as source:
        recording = importer.open(source)
        assert recording is not None
        batches = list(recording.batches(ImportOptions()))
    return pl.concat([batch.samples for batch in batches if len(batch.samples)])


@pytest.mark.parametrize("name", ["recording.data.xz", "recording.txt.xz"])
def test_a_thread_is_in_the_namespace_that_it_says(name: str) -> None:
    samples = samples_of(FOLDER / name)
    named = samples.filter(pl.col("comm").str.contains(r"^\d+$"))
    assert len(named) == 78
    assert (named["comm"] == named["netns"].cast(pl.String)).all()
    assert sorted(named["netns"].unique()) == [4026531833, 4026532177, 4026532246]
    assert samples["netns"].null_count() == 0


def test_data_and_text_of_one_recording_agree() -> None:
    columns = ["tid", "comm", pl.col("time_ns") // 1000, "netns"]
    data, text = (
        samples_of(FOLDER / f"recording.{kind}.xz").select(columns).sort("time_ns", "tid")
        for kind in ("data", "txt")
    )
    assert data.rows() == text.rows()


@pytest.mark.parametrize("size", [4 << 10, 9 << 10])
def test_namespaces_are_those_of_the_parts_before(set_limits: SetLimits, size: int) -> None:
    whole = samples_of(FOLDER / "recording.txt.xz")
    set_limits(text_part_bytes=size)
    assert samples_of(FOLDER / "recording.txt.xz")["netns"].equals(whole["netns"])


def test_idle_threads_and_those_before_their_first_record_have_none(tmp_path: Path) -> None:
    text = lzma.decompress((FOLDER / "recording.txt.xz").read_bytes()).decode()
    sample = "4711 1 [000] 1.000000: 1 cpu-clock:\n\tffffffff81000000 f+0x0 ([kernel.kallsyms])\n\n"
    idle = sample.replace("4711 1 ", "swapper 0 ")
    path = tmp_path / "text.txt.gz"
    path.write_bytes(gzip.compress((sample + idle + text + idle).encode()))
    netns = samples_of(path)["netns"]
    assert netns[:2].to_list() == [None, None]
    assert netns[-1] is None
    assert netns.null_count() == 3


Steps = st.lists(
    st.tuples(st.sampled_from([-1, 0, 1, 7, 1 << 22]), st.integers(0, 3), st.booleans()),
    max_size=20,
)


@pytest.mark.slow
@given(Steps, st.integers(1, 20))
def test_each_sample_has_the_last_namespace_of_its_thread(
    steps: list[tuple[int, int, bool]], size: int
) -> None:
    known, wanted, got = dict[int, int](), list[int](), list[int]()
    for tid, inode, is_sample in steps:
        if is_sample:
            wanted.append(known.get(tid, UNKNOWN))
        elif 0 <= tid < 1 << 22:
            known[tid] = inode
    namespaces = NetworkNamespaces()
    for start in range(0, len(steps), size):
        part = list(enumerate(steps[start : start + size]))
        rows = [(at, tid, inode) for at, (tid, inode, is_sample) in part if not is_sample]
        samples = [(tid, at) for at, (tid, _, is_sample) in part if is_sample]
        tid, at = np.array(samples, np.int64).reshape(-1, 2).T
        got += namespaces.advance(NamespaceChanges.of(rows), tid, at).tolist()
    assert got == wanted


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> perfduck.ProfileStore:
    opened = perfduck.open(tmp_path_factory.mktemp("netns") / "s.duckdb")
    opened.ingest(FOLDER / "recording.data.xz", name="data", labels={"side": "data"})
    opened.ingest(FOLDER / "recording.txt.xz", name="text", labels={"side": "text"})
    return opened


@pytest.fixture(scope="module")
def weights() -> dict[str, float]:
    """ms by namespace, of the recording's samples."""
    samples = samples_of(FOLDER / "recording.data.xz")
    summed = samples.group_by(pl.col("netns").cast(pl.String)).agg(pl.col("period").sum() / 1e6)
    return dict(summed.iter_rows())


@pytest.mark.slow
def test_every_question_splits_by_network_namespace(
    store: perfduck.ProfileStore, weights: dict[str, float]
) -> None:
    top = store.top("data", by="netns").frame
    assert dict(top[["netns", "self"]].iter_rows()) == pytest.approx(weights)
    shares = {name: weight / sum(weights.values()) for name, weight in weights.items()}
    diff = store.diff("data", "text")
    for side in ("base", "new"):
        rates = dict(diff.namespaces[["netns", side]].iter_rows())
        assert {k: v / sum(rates.values()) for k, v in rates.items()} == pytest.approx(shares)
    assert "4026532177" in diff.render("text", by="netns")
    compared = store.compare("*", "side", by="netns").frame.filter(pl.col("netns") != "total")
    values = dict(compared.filter(group="data")[["netns", "value"]].iter_rows())
    assert {k: v / sum(values.values()) for k, v in values.items()} == pytest.approx(shares)


@pytest.mark.slow
@pytest.mark.parametrize("times", [{}, {"skip": 0.0}], ids=["of the rollup", "of samples"])
def test_namespaces_are_chosen_and_left_out(
    store: perfduck.ProfileStore, weights: dict[str, float], times: dict[str, float]
) -> None:
    chosen = store.top("data", by="netns", netns=4026532177, **times).frame
    assert dict(chosen[["netns", "self"]].iter_rows()) == pytest.approx(
        {"4026532177": weights["4026532177"]}
    )
    rest = store.top("data", by="netns", not_netns=["40265321*"], **times).frame
    assert set(rest["netns"]) == {"4026531833", "4026532246"}
    both = store.diff("data", "text", netns="4026532246", **times).namespaces
    assert set(both["netns"]) == {"4026532246"}


@pytest.mark.slow
def test_a_namespace_that_is_not_there_or_was_not_recorded_is_an_error(
    store: perfduck.ProfileStore, demo_store: Path
) -> None:
    with pytest.raises(perfduck.PerfduckError, match=r"no sample with --netns 7: there are 402653"):
        store.top("data", netns=7)
    with perfduck.open(demo_store) as demo:
        with pytest.raises(
            perfduck.PerfduckError, match="a netns for --not-netns 7, its recording"
        ):
            demo.top("native.udp64.1", not_netns=7)
        top = demo.top("native.udp64.1", by="netns")
    assert top.frame["netns"].to_list() == ["[no netns]"]
    assert "no network namespaces were recorded" in " ".join(top.to_text().split())


@pytest.mark.slow
def test_threads_that_ran_before_they_said_it_are_a_row(tmp_path: Path) -> None:
    text = lzma.decompress((FOLDER / "recording.txt.xz").read_bytes()).decode()
    early = "4711 1 [000] 1.000000: 10101010 cpu-clock:\n\tffffffff81000000 f+0x0 ([kernel])\n\n"
    (tmp_path / "text.txt").write_text(early + text)
    with perfduck.open(tmp_path / "s.duckdb") as opened:
        opened.ingest(tmp_path / "text.txt", name="a")
        top = opened.top("a", by="netns")
        rest = opened.top("a", by="comm", not_netns="4026532*")
    assert "[no netns]" in top.frame["netns"].to_list()
    assert "threads that ran before" in " ".join(top.to_text().split())
    assert "4711" in rest.frame["comm"].to_list()
