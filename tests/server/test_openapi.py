"""Requests made from /openapi.json: whatever is asked, the server answers, and never with a bug."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from servers import Server, running

OPERATIONS = 14  # at least


@pytest.fixture(scope="module")
def asked(demo_store: Path, tmp_path_factory) -> Iterator[Server]:
    path = tmp_path_factory.mktemp("openapi") / "demo.duckdb"
    shutil.copy(demo_store, path)
    with running(path) as started:
        yield started


def ask(case: schemathesis.Case) -> None:
    """Send a request, and look at the answer."""
    answer = case.call(timeout=60, allow_redirects=False)
    said = answer.content[:300]
    assert answer.status_code < 500, (case.method, case.formatted_path, case.query, said)
    if answer.status_code >= 400 and case.method != "HEAD":
        error = answer.json()["error"]
        assert "\n" not in error, (case.method, case.formatted_path, case.query, said)


def ask_all(server: Server, examples: int) -> None:
    """So many requests to each route that is described."""
    api = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    operations = [found.ok() for found in api.get_all_operations()]
    assert len(operations) >= OPERATIONS
    limits = settings(
        max_examples=examples, deadline=None, suppress_health_check=tuple(HealthCheck)
    )
    for operation in operations:
        limits(given(case=operation.as_strategy())(ask))()


@pytest.mark.slow
def test_no_request_finds_a_bug(asked: Server) -> None:
    ask_all(asked, 3)


@pytest.mark.slow
def test_many_requests_find_no_bug(asked: Server) -> None:
    ask_all(asked, 80)
