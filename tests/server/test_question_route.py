"""How many answers are worked out at a time."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import anyio
import pytest
from fastapi import APIRouter, FastAPI
from starlette.testclient import TestClient

from perfduck_server.app import create_app
from perfduck_server.question_route import QuestionRoute
from perfduck_server.service import Service
from perfduck_server.settings import Settings


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    service = Service(Settings(store=tmp_path / "store.duckdb"))
    yield create_app(service)
    service.close()


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [1, 3])
def test_requests_take_turns_and_all_are_answered(app: FastAPI, at_once: int) -> None:
    running, most, lock = 0, 0, Lock()
    router = APIRouter(route_class=QuestionRoute)

    @router.get("/question/{number}")
    def question(number: int) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return f"answer {number}"

    app.state.service.answering = anyio.Semaphore(at_once)
    app.include_router(router)
    with TestClient(app, base_url="http://localhost") as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: client.get(f"/question/{n}").json(), range(16)))
    assert answers == [f"answer {number}" for number in range(16)]
    assert most == at_once


def test_a_question_that_fails_gives_its_turn_to_the_next(app: FastAPI) -> None:
    router = APIRouter(route_class=QuestionRoute)

    @router.get("/question")
    def question() -> str:
        raise RuntimeError

    app.state.service.answering = anyio.Semaphore(1)
    app.include_router(router)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        assert [client.get("/question").status_code for _ in range(3)] == [500] * 3
