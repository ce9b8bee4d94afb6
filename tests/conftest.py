"""What every test may ask for."""

from pathlib import Path

import pytest
from hypothesis import settings

# A deadline for each example fails on a busy machine.
settings.register_profile("perfduck", deadline=None)
settings.load_profile("perfduck")


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    return tmp_path / "store.duckdb"
