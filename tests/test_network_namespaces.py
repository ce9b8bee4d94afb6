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
