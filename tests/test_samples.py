"""Choices of samples that take turns: each answers about its own."""

from pathlib import Path

import polars as pl
import pytest
from recordings import FIXTURES

from perfduck.ingestion import IngestRequest, ingest
from perfduck_store.choice import Choice
from perfduck_store.duckdb.store import DuckDbStore

TEXTS = ("v7-default", "net-chain")


@pytest.fixture
def store(store_path: Path) -> Path:
    with DuckDbStore(store_path, write=True) as opened:
        for name in TEXTS:
            text = FIXTURES / "perf_script" / name / "input.txt.xz"
            ingest(opened, IngestRequest(str(text), name=name))
    return store_path


@pytest.mark.slow
def test_two_choices_take_turns(store: Path) -> None:
    with DuckDbStore(store) as opened:
        choices = [
            Choice(profiles=[each.profile_id], events=[("cpu-clock",)])
            for each in opened.profiles.all()
        ]
        alone = [opened.samples(choice).weights() for choice in choices]
        both = [opened.samples(choice) for choice in choices]
        for _ in range(2):
            assert [samples.weights() for samples in both] == alone
        assert alone[0] != alone[1]
        assert [row.name for samples in both for row in samples.runs()] == sorted(TEXTS)


@pytest.mark.slow
def test_samples_of_a_value_and_of_a_time(store: Path) -> None:
    with DuckDbStore(store) as opened:
        key, other = (each.profile_id for each in opened.profiles.all())
        every = opened.samples(Choice(profiles=[key], events=[("cpu-clock",)]))
        first = opened.profiles.first_ns([key, other])[key]
        assert first is not None
        spans = [(first, first + 1)]
        one = opened.samples(Choice(profiles=[key], events=[("cpu-clock",)], spans=spans))
        assert (one.weights()[0].samples + one.weights()[0].idle > 0, len(one.rollup())) == (
            True,
            1,
        )
        comms = {each.value: each.weight for each in every.values("comm")}
        [comm] = sorted(comms)[:1]
        of_comm = Choice(profiles=[key], events=[("cpu-clock",)], values={"comm": [comm]})
        assert opened.samples(of_comm).weights()[0].busy == pytest.approx(comms[comm])
        assert every.weights()[0].busy == pytest.approx(sum(comms.values()))


@pytest.mark.slow
def test_weight_without_a_name_is_that_of_leaves_without_one(store_path: Path) -> None:
    session = FIXTURES / "oprofile" / "pod-callgraph-q" / "session.tar.gz"
    with DuckDbStore(store_path, write=True) as opened:
        ingest(opened, IngestRequest(str(session), name="calls"))
        codes = {code for (code,) in opened.rows("select code from limitation")}
        assert {"no-names", "no-kernel-names"} <= codes  # one recording, two reasons
        [profile] = opened.profiles.all()
        events = tuple(each.event for each in opened.profiles.events([profile.profile_id]))
        samples = opened.samples(Choice(profiles=[profile.profile_id], events=[events]))
        nameless = samples.rank("function", 1_000_000).filter(
            pl.col("function").str.starts_with("[unknown]")
        )
        assert sum(each.weight for each in samples.unnamed([0])) == nameless["self"].sum() > 0
