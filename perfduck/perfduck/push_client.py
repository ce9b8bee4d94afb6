"""Sends recordings that were read here to a server: each as a store of its own, again and again
until the server has it or the time is over. The server stores the same content once, so that a push
whose answer was lost does no harm."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from perfduck_model.errors import PerfduckError
from perfduck_store.recording import Receipt
from perfduck_store.remote.address import Address
from perfduck_store.remote.connection import Connection, ConnectionFailed, HttpAnswer
from perfduck_store.remote.merging import STORE_TYPE
from perfduck_store.waiting import Wait, waiting

PATH = "/api/v1/recordings"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 8.0
_JOB_POLL_S = 0.5
_ANSWER_S = 120.0  # the server answers after 5 s at most, but for what it writes to its disk


class NotSent(PerfduckError):
    """The server could not be reached, or could not take it just now."""


class ServerFailed(NotSent):
    """The server has it, and failed to store it."""


class PushOutcome(msgspec.Struct):
    """What a server says of a push."""

    job: str
    state: str
    receipt: Receipt | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Pushed:
    """A recording to push: the store that it is in, and what is said of it beside that."""

    file: Path
    options: dict[str, str]  # name, kernel, force


class PushClient:
    """Pushes to one server."""

    def __init__(self, address: Address, token: str | None, wait_s: float | None = None) -> None:
        """`wait_s`: for how long to try again."""
        self._connection = Connection(address, token)
        self._wait_s = Wait(wait_s).limit_s

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def reach(self) -> None:
        """Ask whether the server is there. NotSent where it is not."""
        self._tried(lambda: self._connection.ask("GET", "/healthz", timeout_s=_ANSWER_S))

    def push(self, pushed: Pushed) -> Receipt:
        """Send it; what is stored then. NotSent; PerfduckError where the server refuses it."""
        outcome = self._outcome(self._tried(lambda: self._sent(pushed)))
        while outcome.receipt is None and outcome.error is None:  # it takes long
            time.sleep(_JOB_POLL_S)
            outcome = self._outcome(self._tried(partial(self._job, outcome.job)))
        if outcome.receipt is None:
            kind = ServerFailed if outcome.state == "failed" else PerfduckError
            raise kind(str(outcome.error))
        return outcome.receipt

    def _sent(self, pushed: Pushed) -> HttpAnswer:
        size = str(pushed.file.stat().st_size)
        headers = {"Content-Type": STORE_TYPE, "Content-Length": size}
        path = f"{PATH}?{urlencode(pushed.options)}" if pushed.options else PATH
        with pushed.file.open("rb") as body:
            return self._connection.ask("POST", path, body, headers, timeout_s=_ANSWER_S)

    def _job(self, key: str) -> HttpAnswer:
        return self._connection.ask("GET", f"/api/v1/jobs/{key}", timeout_s=_ANSWER_S)

    def _outcome(self, answer: HttpAnswer) -> PushOutcome:
        if (outcome := _outcome_of(answer)) is not None:
            return outcome
        if answer.status < HTTPStatus.BAD_REQUEST:
            raise self._connection.unreadable(ValueError("no outcome"))
        raise self._connection.refusal(answer)

    def _tried(self, ask: Callable[[], HttpAnswer]) -> HttpAnswer:
        """The answer of a server that is there and not busy. NotSent after the time to wait."""
        started, pause = time.monotonic(), _FIRST_PAUSE_S
        has_said = False
        while True:
            reason, after_s = self._asked(ask)
            if isinstance(reason, HttpAnswer):
                return reason
            if time.monotonic() - started + pause > self._wait_s:
                raise NotSent(reason)
            if not has_said and time.monotonic() - started > 1:
                waiting.say(f"{reason}: trying again for {self._wait_s:g} s (--wait SECONDS)")
                has_said = True
            time.sleep(max(pause, after_s))
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _asked(self, ask: Callable[[], HttpAnswer]) -> tuple[HttpAnswer | str, float]:
        """The answer, or why there is none yet; and how long to wait at least."""
        try:
            answer = ask()
        except ConnectionFailed as error:
            return str(error), 0.0
        outcome = _outcome_of(answer)  # a job that failed fails each time
        has_failed = outcome is not None and bool(outcome.job)
        is_final = answer.status < HTTPStatus.INTERNAL_SERVER_ERROR or has_failed
        if is_final and answer.status != HTTPStatus.TOO_MANY_REQUESTS:
            return answer, 0.0
        return str(self._connection.refusal(answer)), answer.retry_after_s or 0.0


def _outcome_of(answer: HttpAnswer) -> PushOutcome | None:
    try:
        return msgspec.json.decode(answer.body, type=PushOutcome)
    except ValueError:
        return None


def said(name: str | None, kernel: str | None, *, force: bool) -> dict[str, str]:
    """The parameters of a push, of what the store does not say."""
    fields: dict[str, Any] = {"name": name, "kernel": kernel, "force": "true" if force else None}
    return {key: value for key, value in fields.items() if value is not None}
