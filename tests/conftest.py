"""What every test may ask for."""

import fcntl
from pathlib import Path

import pytest
from command import run
from hypothesis import settings

# A deadline for each example fails on a busy machine.
settings.register_profile("perfduck", deadline=None)
settings.load_profile("perfduck")

DEMO = Path(__file__).parent.parent / "fixtures" / "demo"


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    return tmp_path / "store.duckdb"


@pytest.fixture(scope="session")
def demo_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the demo's recordings that no test changes: made once, for all processes that run
    tests."""
    own = tmp_path_factory.getbasetemp()
    folder = own.parent if own.name.startswith("popen-") else own
    path = folder / "demo.duckdb"
    with (folder / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            words = ["ingest", "--manifest", DEMO / "recordings.csv", "--store", path]
            assert run(words).returncode == 0
    return path
