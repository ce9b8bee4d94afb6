"""Recordings that do not fit into the memory that samples and stacks get."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from recordings import FIXTURES
from set_limits import SetLimits

from perfduck.ingestion import IngestRequest, ingest
from perfduck_model.batch import SAMPLE, STACK, SYMBOL, Batch
from perfduck_model.errors import PerfduckError
from perfduck_store import draft
from perfduck_store.draft import Draft
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.recording import Identity

STACKS, FRAMES = 100_000, 20


def tagged(symbols: pl.DataFrame) -> pl.DataFrame:
    words = {
        "area": "user",
        "subsystem": "libc",
        "class": "others",
        "role": "domain",
        "tagged_by": "dso",
    }
    return symbols.with_columns(
        pl.col("name").alias("canonical"),
        pl.lit(None, pl.String).alias("source_file"),
        *(pl.lit(word).alias(name) for name, word in words.items()),
    )


def charged(stacks: pl.DataFrame, symbols: pl.DataFrame) -> pl.DataFrame:
    leaf = pl.col("symbol_ids").list.first().alias("symbol_id")
    words = {"subsystem": "libc", "context": "task", "direction": "none"}
    return stacks.select("stack_id", leaf, *(pl.lit(v).alias(k) for k, v in words.items()))


def profile() -> Batch:
    random = np.random.default_rng(1)
    symbols = pl.DataFrame({"symbol_id": np.arange(1000), "dso": "/lib/x"}).with_columns(
        pl.format("f{}", "symbol_id").alias("name"), pl.lit(None, pl.Int64).alias("address")
    )
    ids = random.permutation(STACKS)
    frames = pl.Series(random.integers(0, 1000, (STACKS, FRAMES))).arr.to_list()
    samples = (
        pl.DataFrame({"stack_id": ids})
        .with_columns(
            *(
                pl.lit(None, kind).alias(name)
                for name, kind in SAMPLE.items()
                if name != "stack_id"
            ),
        )
        .with_columns(
            pl.lit("cpu-clock").alias("event"),
            pl.lit(1, pl.Int64).alias("count"),
            pl.lit(1, pl.Int64).alias("period"),
        )
    )
    return Batch(
        samples.select(list(SAMPLE)),
        symbols.select(list(SYMBOL)),
        pl.DataFrame({"stack_id": ids, "symbol_ids": frames}, schema=STACK),
    )


@pytest.mark.slow
def test_stacks_get_the_memory_they_need(tmp_path: Path, set_limits: SetLimits) -> None:
    set_limits(write_memory_mb=20)
    with DuckDbStore(tmp_path / "large.duckdb", write=True) as store:
        with Draft(tmp_path) as draft, store.transaction():
            draft.add(profile())
            draft.add(profile())  # every stack again
            writer = store.writer(draft, Identity("large", "test", "large", "hash"))
            new = writer.new_names()
            writer.insert(new)
            tags = tagged(new.symbols)
            receipt = writer.finish(tags, charged(new.stacks, tags))
        assert receipt.stacks == STACKS
        for table in ("stack", "stack_blame"):
            assert store.rows(f"select count(*) from {table}") == [(STACKS,)]


@pytest.mark.slow
def test_samples_of_many_runs_are_those_of_one(tmp_path: Path, set_limits: SetLimits) -> None:
    tables = ("profile", "event", "sample", "rollup", "leaf_offset", "stack", "symbol")
    contents = []
    for rows in (1000, 1 << 20):
        set_limits(rows_of_a_run=rows)
        with DuckDbStore(tmp_path / f"{rows}.duckdb", write=True) as store:
            ingest(store, IngestRequest(str(FIXTURES / "demo/native.udp64.1.txt.xz")))
            # A placeholder for when it was stored, which differs.
            store.execute("update profile set ingested_at = '2020-01-01'")
            contents.append([sorted(map(repr, store.rows(f"from {name}"))) for name in tables])
    assert len(contents[0][2]) > 5000
    assert contents[0] == contents[1]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_run_is_sorted_by_stack_and_time(tmp_path: Path) -> None:
    some = profile().samples.with_columns(pl.int_range(STACKS, 0, -1).alias("time_ns"))
    waiting = draft.SampleSpill(tmp_path, 40_000)
    waiting.add(some.with_columns(pl.col("stack_id") % 7))
    taken = list(waiting.take())
    assert [len(run) for run in taken] == [40_000, 40_000, 20_000]
    assert all(run.equals(run.sort("stack_id", "time_ns")) for run in taken)


def test_a_full_disk_is_told_in_a_line(tmp_path: Path) -> None:
    rows = pl.DataFrame({name: [None] * 10 for name in SAMPLE}, schema=SAMPLE)
    with (
        Path("/dev/full").open("r+b", buffering=0) as full,
        pytest.raises(PerfduckError, match="expected room on the disk, got: No space left"),
    ):
        draft.SampleSpill(tmp_path, 10, lambda folder: full).add(rows)
    with (
        DuckDbStore(tmp_path / "s.duckdb", write=True) as store,
        pytest.raises(PerfduckError, match=r"s\.duckdb: expected room on the disk.*No space left"),
    ):
        store.execute("copy (select range from range(1000000)) to '/dev/full'")
