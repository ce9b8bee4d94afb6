"""Servers that tests ask."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import Server, copied, running


@pytest.fixture(scope="session")
def server(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the demo that all tests share: they only read."""
    with copied(demo_store, tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture
def own_server(demo_store: Path, tmp_path: Path) -> Iterator[Server]:
    """A server of the demo that one test may change."""
    with copied(demo_store, tmp_path) as started:
        yield started


@pytest.fixture
def empty_server(tmp_path: Path) -> Iterator[Server]:
    """A server of a store without profiles."""
    with running(tmp_path / "empty.duckdb") as started:
        yield started
