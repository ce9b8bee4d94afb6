"""What every test may ask for."""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from command import run
from hypothesis import settings
from set_limits import SetLimits

from perfduck_model.limits import limited

# A deadline for each example fails on a busy machine.
settings.register_profile("perfduck", deadline=None)
settings.load_profile("perfduck")

DEMO = Path(__file__).parent.parent / "fixtures" / "demo"


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    return tmp_path / "store.duckdb"


@pytest.fixture
def set_limits() -> Iterator[SetLimits]:
    """Limits that a small recording reaches, until the test ends: `set_limits(most_names=1000)`."""
    with ExitStack() as stack:

        def enter(**values: float) -> None:
            stack.enter_context(limited(**values))

        yield enter


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
