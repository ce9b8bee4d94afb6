"""How many answers are worked out at a time."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from types import SimpleNamespace

import anyio
import pytest
from fastapi import APIRouter, FastAPI
from starlette.testclient import TestClient

from perfduck_server.question_route import QuestionRoute


@pytest.mark.parametrize("at_once", [1, 3])
def test_requests_take_turns_and_all_are_answered(at_once: int) -> None:
    running, most, lock = 0, 0, Lock()
    router = APIRouter(route_class=QuestionRoute)

    @router.get("/question")
    def question() -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return "answer"

    app = FastAPI()
    app.state.service = SimpleNamespace(answering=anyio.Semaphore(at_once))
    app.include_router(router)
    with TestClient(app) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.get("/question").json(), range(16)))
    assert answers == ["answer"] * 16
    assert most == at_once


def test_a_question_that_fails_gives_its_turn_to_the_next() -> None:
    router = APIRouter(route_class=QuestionRoute)

    @router.get("/question")
    def question() -> str:
        raise RuntimeError

    app = FastAPI()
    app.state.service = SimpleNamespace(answering=anyio.Semaphore(1))
    app.include_router(router)
    with TestClient(app, raise_server_exceptions=False) as client:
        assert [client.get("/question").status_code for _ in range(3)] == [500] * 3
