"""A recording with more distinct stacks than fit into the memory that staging gets."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from perfduck_store import store as stores
from perfduck_store.batch import SAMPLE, STACK, SYMBOL, Batch
from perfduck_store.store import Store
from perfduck_store.writer import Identity, ProfileWriter

STACKS, FRAMES = 100_000, 20


def tagged(symbols: pl.DataFrame) -> pl.DataFrame:
    words = {"area": "user", "subsystem": "libc", "role": "domain", "tagged_by": "dso"}
    return symbols.with_columns(
        pl.col("name").alias("canonical"),
        pl.lit(None, pl.String).alias("source_file"),
        *(pl.lit(word).alias(name) for name, word in words.items()),
    )


def charged(stacks: pl.DataFrame, symbols: pl.DataFrame) -> pl.DataFrame:
    leaf = pl.col("symbol_ids").list.first().alias("symbol_id")
    return stacks.select(
        "stack_id", leaf, pl.lit("libc").alias("subsystem"), pl.lit("task").alias("context")
    )


def profile() -> Batch:
    random = np.random.default_rng(1)
    symbols = pl.DataFrame({"symbol_id": np.arange(1000), "dso": "/lib/x"}).with_columns(
        pl.format("f{}", "symbol_id").alias("name"), pl.lit(None, pl.Int64).alias("address")
    )
    ids = random.permutation(STACKS)
    frames = pl.Series(random.integers(0, 1000, (STACKS, FRAMES))).arr.to_list()
    samples = pl.DataFrame({"stack_id": ids}).with_columns(
        *(pl.lit(None, kind).alias(name) for name, kind in list(SAMPLE.items())[2:8]),
        pl.lit("cpu-clock").alias("event"),
        pl.lit(1, pl.Int64).alias("count"),
        pl.lit(1, pl.Int64).alias("period"),
    )
    return Batch(
        samples.select(list(SAMPLE)),
        symbols.select(list(SYMBOL)),
        pl.DataFrame({"stack_id": ids, "symbol_ids": frames}, schema=STACK),
    )


def test_stacks_get_the_memory_they_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "_memory_to_write_mb", lambda path: 20)
    with Store(tmp_path / "large.duckdb", write=True) as store:
        with ProfileWriter(store) as writer:
            writer.add(profile())
            receipt = writer.finish(Identity("large", "test", "large", "hash"), tagged, charged)
        assert receipt.stacks == STACKS
        assert store.rows("select count(*) from stack_blame") == [(STACKS,)]
