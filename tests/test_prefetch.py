"""Work ahead in threads: its order, its errors, and that nothing of it stays behind."""

import gc
import threading
import time
from collections.abc import Iterator
from threading import Event

import pytest

from perfduck_ingest.runtime.prefetch import background, prefetch, prefetch_map


def are_back_to(count: int) -> bool:
    """Whether there are no more threads than that, soon."""
    end = time.monotonic() + 5
    while threading.active_count() > count and time.monotonic() < end:
        time.sleep(0.01)
    return threading.active_count() <= count


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert are_back_to(before)


def test_results_come_in_the_order_of_the_items() -> None:
    def work(number: int) -> int:
        time.sleep(0.002 if number % 2 else 0)
        return number * 2

    assert list(prefetch_map(work, range(50), 3, threads=3)) == list(range(0, 100, 2))
    assert list(prefetch(range(5), 2)) == [0, 1, 2, 3, 4]
    assert list(prefetch(range(0))) == []


def test_so_many_items_are_made_ahead() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    coming = prefetch(items(), 3)
    assert next(coming) == 0
    end = time.monotonic() + 5
    while len(made) < 4 and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.05)
    assert made == [0, 1, 2, 3]
    coming.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_errors_of_items_and_of_work_are_raised_in_their_place(kind: type[BaseException]) -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise kind

    def work(number: int) -> int:
        if number == 2:
            raise kind
        return number

    for coming in (prefetch(items(), 2), prefetch_map(work, range(5), 2, threads=2)):
        got = []
        with pytest.raises(kind):
            got.extend(coming)
        assert len(got) in (2, 3)


def test_an_iterator_that_is_abandoned_is_closed() -> None:
    is_closed = Event()

    def items() -> Iterator[int]:
        try:
            yield from range(1 << 40)
        finally:
            is_closed.set()

    coming = prefetch(prefetch(items(), 2))
    assert next(coming) == 0
    del coming
    gc.collect()
    assert is_closed.wait(5)


@pytest.mark.slow
def test_a_failed_import_does_not_wait_for_a_pipe_that_is_silent() -> None:
    is_heard = Event()

    def items() -> Iterator[int]:
        yield 1
        is_heard.wait(60)
        yield 2

    coming = prefetch(items(), 2)
    assert next(coming) == 1
    started = time.monotonic()
    coming.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 5
    is_heard.set()


def test_iterators_in_cycles_of_garbage_are_closed_by_any_thread_that_collects_it() -> None:
    """As those of failed imports, which the traceback refers to."""
    for number in range(300):
        coming = prefetch_map(lambda item: [item], prefetch(iter(range(100)), 2), 2, threads=2)
        cycle: list[object] = [coming, next(coming)]
        cycle.append(cycle)
        del coming, cycle
        if number % 10 == 0:
            assert next(prefetch(iter([object()]))) is not None  # threads that allocate
    gc.collect()


def test_background_work_returns_or_raises() -> None:
    assert background(lambda: 3).result() == 3
    with pytest.raises(ZeroDivisionError):
        background(lambda: 1 // 0).result()
