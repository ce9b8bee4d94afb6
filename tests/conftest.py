"""What every test may ask for."""

from pathlib import Path

import pytest
from hypothesis import settings

import perfduck

DEMO = Path(__file__).parents[1] / "fixtures" / "demo"

# A deadline for each example fails on a busy machine.
settings.register_profile("perfduck", deadline=None)
settings.load_profile("perfduck")


@pytest.fixture(scope="session")
def demo_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the recordings of the demo, which no test changes."""
    path = tmp_path_factory.mktemp("demo") / "demo.duckdb"
    perfduck.open(path).ingest(manifest=DEMO / "recordings.csv")
    return path


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    return tmp_path / "store.duckdb"
