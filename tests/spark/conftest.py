"""A Spark cluster for all tests of a session, and the lake that they ask about."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lake_oracle import RUNS
from spark_cluster import Cluster, missing

import perfduck

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
# pyspark takes a process whose main module has no file for a doctest, and ends it: workers of
# pytest-xdist are such processes.
vars(sys.modules["__main__"]).setdefault("__file__", __file__)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if reason := missing():
        pytest.skip(reason)
    with Cluster() as started:
        yield started


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four recordings of the demo, in a lake that no test changes."""
    tmp = tmp_path_factory.mktemp("spark")
    lines = (FIXTURES / "demo" / "recordings.csv").read_text().splitlines()
    kept = [line for line in lines if line.split(",")[1] in RUNS]
    manifest = tmp / "runs.csv"
    listed = (f"{FIXTURES}/demo/{line}" for line in kept)
    manifest.write_text("\n".join([lines[0], *listed]))
    # A name that is a pattern, of Spark as of a shell.
    path = tmp / "a lake [1]"
    perfduck.open(f"lake:{path}").ingest(manifest=manifest)
    return path
