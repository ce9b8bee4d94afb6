"""The type of the fixture `set_limits` (conftest.py)."""

from typing import Protocol


class SetLimits(Protocol):
    """Sets fields of `perfduck_model.limits.limits` until the test ends."""

    def __call__(self, **values: float) -> None: ...
