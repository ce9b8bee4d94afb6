"""Change points of series: what must hold for any numbers, and figures that simulation gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfduck_diff.engine.change_points import (
    CONFIRMED,
    LEAST_POINTS,
    LEVEL,
    SeriesSet,
    Step,
    changes,
)

NOISE = 0.06
LEVELS = st.floats(1e-3, 1e6)


def series(points: int, *, rows: int = 6, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    mean = np.exp(random.normal(4, 1, rows))
    return mean[:, None] * (1 + NOISE * random.standard_normal((rows, points)))


def found(values: np.ndarray) -> tuple[Step, ...]:
    return changes(SeriesSet.of(values))


@pytest.mark.slow
@given(level=LEVELS, points=st.integers(1, 60), rows=st.integers(1, 8))
@settings(max_examples=40)
def test_a_constant_series_has_no_change(level: float, points: int, rows: int) -> None:
    assert found(np.full((rows, points), level)) == ()


@pytest.mark.slow
@given(factor=LEVELS, at=st.integers(6, 24))
@settings(max_examples=25)
def test_another_unit_keeps_the_places(factor: float, at: int) -> None:
    values = series(30)
    values[2, at:] *= 1.5
    plain, scaled = found(values), found(values * factor)
    assert [(s.series, s.place, s.state) for s in plain] == [
        (s.series, s.place, s.state) for s in scaled
    ]
    assert [s.delta * factor for s in plain] == pytest.approx([s.delta for s in scaled])


@pytest.mark.slow
@given(order=st.permutations(range(6)))
@settings(max_examples=25)
def test_the_order_of_the_series_does_not_matter(order: list[int]) -> None:
    values = series(30)
    values[2, 20:] *= 1.5
    mixed = found(values[order])
    assert sorted((order[s.series], s.place) for s in mixed) == sorted(
        (s.series, s.place) for s in found(values)
    )


@pytest.mark.slow
@given(at=st.integers(CONFIRMED, 30 - CONFIRMED), factor=st.sampled_from([0.5, 1.5, 3.0]))
@settings(max_examples=25)
def test_a_large_step_is_found_where_it_is_and_turned_around_from_behind(
    at: int, factor: float
) -> None:
    values = series(30)
    values[2, at:] *= factor
    [step] = [s for s in found(values) if s.series == 2]
    assert step.earliest <= at <= step.latest
    assert step.low < step.delta < step.high
    assert step.state == "confirmed"
    assert step.base / step.new == pytest.approx(1 / factor, rel=0.1)
    [turned] = [s for s in found(values[:, ::-1]) if s.series == 2]
    assert turned.place == 30 - step.place


@pytest.mark.slow
def test_a_step_is_suspected_until_enough_points_confirm_it() -> None:
    states = {}
    for after in range(1, 7):
        values = series(24 + after)
        values[2, 24:] *= 1.6
        steps = [s for s in found(values) if s.series == 2]
        states[after] = [(s.state, s.points) for s in steps]
    assert states[1] == []
    assert states[2] == [("suspected", 2)]
    assert states[3] == [("suspected", 3)]
    assert states[4] == [("confirmed", 4)]


def test_what_returned_is_one_change_that_went_away() -> None:
    values = series(40)
    values[2, 15:22] *= 1.5
    [step] = [s for s in found(values) if s.series == 2]
    assert (step.place, step.until, step.state) == (15, 22, "went away")


def test_steps_that_do_not_return_are_two() -> None:
    values = series(40)
    values[2, 12:] *= 1.5
    values[2, 26:] *= 1.5
    places = [(s.place, s.state) for s in found(values) if s.series == 2]
    assert places == [(12, "confirmed"), (26, "confirmed")]


def test_one_wild_point_is_no_change() -> None:
    values = series(30)
    values[2, 14] *= 4
    assert found(values) == ()


def test_few_points_have_no_order_that_is_unlikely() -> None:
    values = series(LEAST_POINTS - 1)
    values[2, 4:] *= 3
    assert found(values) == ()


def test_what_sampling_explains_is_no_change() -> None:
    values = np.full((6, 20), 10.0)
    values[2, 10:] = 10.5
    assert [s.series for s in found(values)] == [2]
    sampling = np.full(6, 25.0)
    assert changes(SeriesSet.of(values, sampling=sampling)) == ()


def test_a_step_from_nothing_is_found() -> None:
    values = series(20)
    values[3, :12] = 0
    [step] = [s for s in found(values) if s.series == 3]
    assert (step.place, step.base) == (12, pytest.approx(0, abs=1e-6))


@pytest.mark.slow
def test_families_without_a_change_are_rarely_alarmed() -> None:
    """The figures are in bench/; here only that p is not far too small."""
    random = np.random.default_rng(4)
    alarms = 0
    for _ in range(300):
        values = 1 + NOISE * random.standard_normal((15, 30))
        alarms += bool(found(values))
    assert alarms / 300 < 2 * LEVEL
