"""How long a process waits for a store that another one has open, and what it says meanwhile."""

import time
from collections.abc import Callable
from dataclasses import dataclass

_QUIET_S = 1.0
_POLL_S = 0.05


@dataclass(slots=True)
class Waiting:
    """The settings of this process; `say` takes a line after a second, once for each wait."""

    limit_s: float = 30.0
    say: Callable[[str], object] = lambda line: None


# A command line sets it before it opens a store.
waiting = Waiting()


class Wait:
    """One wait for a store."""

    def __init__(self, limit_s: float | None) -> None:
        self.limit_s = waiting.limit_s if limit_s is None else limit_s
        self._started = time.monotonic()
        self._has_said = False

    def goes_on(self, reason: str) -> bool:
        """Wait a moment for whoever holds the store, as `reason` says; False where that took too
        long."""
        waited = time.monotonic() - self._started
        if waited > self.limit_s:
            return False
        if waited > _QUIET_S and not self._has_said:
            self._has_said = True
            waiting.say(f"waiting for the store: {reason}")
        time.sleep(_POLL_S)
        return True
