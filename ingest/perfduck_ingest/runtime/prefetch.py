"""Work ahead of its consumer, in threads: numpy, polars and DuckDB let others run while they work.

An import may fail anywhere, and the process goes on: its threads are daemons, asked to stop and
waited for only so long. Nothing here takes a lock that a garbage collector, which closes what
was abandoned in any thread and at any moment, could find taken.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock, Thread, current_thread
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

# For a thread that was asked to stop: it ends its item first, but may be waiting for a pipe.
_PATIENCE_S = 1.0


def background(work: Callable[[], T]) -> Future[T]:
    """What the work returns or raises, from a thread of its own."""
    result: Future[T] = Future()
    Thread(target=_fulfil, args=(result, work), daemon=True).start()
    return result


def prefetch(items: Iterable[T], count: int = 1) -> Iterator[T]:
    """The same items, none of them None; so many are made while the consumer works on one."""
    return prefetch_map(_same, items, count)


def prefetch_map(
    work: Callable[[T], R], items: Iterable[T], count: int, threads: int = 1
) -> Iterator[R]:
    """What the work makes of each item, in their order, by so many threads: `count` results are
    there or being made while the consumer works on one. Neither items nor results are None. The
    iterator of the items is advanced by one thread at a time, and closed at the end."""
    workers = _Workers(work, iter(items), threads)
    try:
        coming = deque(workers.order() for _ in range(count))
        while (result := coming.popleft().result()) is not None:
            coming.append(workers.order())
            yield result
    finally:
        workers.stop()


class _Workers(Generic[T, R]):
    """Threads that fulfil orders for the next item, each time one."""

    def __init__(self, work: Callable[[T], R], items: Iterator[T], threads: int) -> None:
        self._work = work
        self._items = items
        self._reading = Lock()
        self._orders: SimpleQueue[Future[R | None]] = SimpleQueue()  # put() may interrupt itself
        self._is_stopped = False
        self._threads = [Thread(target=self._run, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def order(self) -> Future[R | None]:
        """The result for the next item; None behind the last."""
        order: Future[R | None] = Future()
        self._orders.put(order)
        return order

    def stop(self) -> None:
        """Let the threads end, and wait for them, but not for ever."""
        self._is_stopped = True
        for _ in self._threads:
            self.order()  # wakes one that waits
        for thread in self._threads:
            if thread is not current_thread():
                thread.join(_PATIENCE_S)

    def _run(self) -> None:
        try:
            while not self._is_stopped:
                self._fulfil_one()
        finally:
            with self._reading:
                _close(self._items)

    def _fulfil_one(self) -> None:
        with self._reading:
            order = self._orders.get()
            item = _result_of(lambda: None if self._is_stopped else next(self._items, None))
        _fulfil(order, lambda: None if (each := item.result()) is None else self._work(each))


def _result_of(work: Callable[[], T]) -> Future[T]:
    result: Future[T] = Future()
    _fulfil(result, work)
    return result


def _fulfil(result: Future[T], work: Callable[[], T]) -> None:
    try:
        result.set_result(work())
    except BaseException as error:
        result.set_exception(error)
        del result, work  # which the error's traceback would keep, and they the error


def _same(item: T) -> T:
    return item


def _close(items: Iterator[object]) -> None:
    close = getattr(items, "close", None)
    if close is not None:
        close()
