"""Answers that are kept: to the same question of the same reader, as long as the store is the same.

An answer is kept where it was made of one state of the store alone (question_route.py). It is sent
again where that state is no older than the one which the store had when the question came. What
many ask at a time is worked out once.
"""

from asyncio import Lock
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from weakref import WeakValueDictionary

from fastapi import Response

_MOST_BYTES = 64 << 20
_LARGEST = _MOST_BYTES // 8  # of an answer
_OVERHEAD = 1000  # bytes of an answer beside its body


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What was answered, of the store after so many changes."""

    state: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]

    @property
    def size(self) -> int:
        """In memory, in bytes."""
        return len(self.body) + sum(len(name) + len(value) for name, value in self.headers)

    def response(self) -> Response:
        """The answer again."""
        response = Response(self.body)
        response.raw_headers = list(self.headers)
        return response


class KeptAnswers:
    """The answers that were asked for last, up to a size. For the thread of the event loop."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        self._answers: OrderedDict[Hashable, KeptAnswer] = OrderedDict()
        self._asking: WeakValueDictionary[Hashable, Lock] = WeakValueDictionary()

    def asking(self, key: Hashable) -> Lock:
        """What those hold by turns who ask the same."""
        return self._asking.setdefault(key, Lock())

    def get(self, key: Hashable, changes: int) -> KeptAnswer | None:
        """The answer, of the store after so many changes or more; None where there is none."""
        answer = self._answers.get(key)
        if answer is None or answer.state < changes:
            return None
        self._answers.move_to_end(key)
        return answer

    def keep(self, key: Hashable, answer: KeptAnswer) -> None:
        """Keep an answer, in the place of an older one to the same question."""
        self._drop(key)
        if answer.size > _LARGEST:
            return
        self._answers[key] = answer
        self._bytes += answer.size + _OVERHEAD
        while self._bytes > self._most_bytes:
            self._drop(next(iter(self._answers)))

    def _drop(self, key: Hashable) -> None:
        if answer := self._answers.pop(key, None):
            self._bytes -= answer.size + _OVERHEAD
