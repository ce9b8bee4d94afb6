"""Lets some statements of users run at a time."""

from collections.abc import Callable
from typing import TypeVar

import anyio

T = TypeVar("T")

AT_ONCE = 2  # more statements wait
WAITS_S = 10.0  # for its turn


class SqlTurns:
    """Runs functions in threads of their own: those that wait keep none from other requests."""

    def __init__(self) -> None:
        self._turns = anyio.Semaphore(AT_ONCE)
        self._threads = anyio.CapacityLimiter(AT_ONCE)

    async def run(self, function: Callable[[], T]) -> T:
        """What the function returns. TimeoutError where others run for as long as this one
        waits."""
        with anyio.fail_after(WAITS_S):
            await self._turns.acquire()
        try:
            return await anyio.to_thread.run_sync(function, limiter=self._threads)
        finally:
            self._turns.release()
