"""More pairs until sure: how often that is a false alarm, and how much it saves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfduck_diff.engine.sequential import first_look, levels
from perfduck_diff.engine.sign_flip import flips, p_of

TRIALS = 600
MOST = 10
LEVEL = 0.05


def _ends(growth: float, looks: dict[int, float]) -> list[int | None]:
    """After how many pairs growth is shown, of totals that drift, in heavy tails."""
    random, ends = np.random.default_rng(5), []
    for _ in range(TRIALS):
        in_time = np.linspace(1000, 2000, 2 * MOST) * np.exp(random.standard_t(3, 2 * MOST) * 0.1)
        pairs = random.permuted(in_time.reshape(MOST, 2), axis=1)
        base, new = pairs[:, 0], pairs[:, 1] * (1 + growth)
        shown = (n for n, level in looks.items() if p_of(base[:n], new[:n])[0] <= level)
        ends.append(next(shown, None))
    return ends


@pytest.mark.slow
def test_looking_after_every_pair_raises_false_alarms_without_a_rule_and_not_with_it() -> None:
    naive = _ends(0.0, dict.fromkeys(range(5, MOST + 1), LEVEL))
    ruled = _ends(0.0, levels(6, MOST, LEVEL))
    assert TRIALS - naive.count(None) > 0.06 * TRIALS
    assert TRIALS - ruled.count(None) <= LEVEL * TRIALS


def test_a_clear_growth_is_found_with_fewer_pairs() -> None:
    ends = _ends(0.6, levels(6, MOST, LEVEL))
    assert ends.count(None) <= 0.05 * TRIALS
    assert np.mean([end or MOST for end in ends]) < 0.75 * MOST


@given(st.integers(5, 60), st.floats(0.01, 0.2), st.data())
def test_the_looks_together_spend_the_level(most: int, level: float, data: st.DataObject) -> None:
    least = first_look(most, level)
    if least is None:
        assert level * flips(most) < 1
        return
    first = data.draw(st.integers(least, most))
    looks = levels(first, most, level)
    assert next(iter(looks)) == first
    assert [*looks][-1] == most
    assert all(own * flips(pairs) == int(own * flips(pairs)) for pairs, own in looks.items())
    assert level - 2 / flips(most) < sum(looks.values()) <= level


def test_each_look_is_after_a_third_more_pairs() -> None:
    assert [*levels(7, 16, LEVEL)] == [7, 9, 12, 16]
    assert [*levels(8, 30, LEVEL)] == [8, 10, 13, 17, 22, 30]


@pytest.mark.parametrize("most", range(5, 80))
def test_each_look_of_ab_can_show_something(most: int) -> None:
    least = first_look(most, LEVEL) or 0
    firsts = range(least, most + 1)
    assert all(min(levels(first, most, LEVEL).values()) > 0 for first in firsts)


@pytest.mark.parametrize(("most", "least"), [(4, None), (5, 5), (10, 6), (16, 7), (100, 10)])
def test_there_is_no_look_that_can_show_nothing(most: int, least: int | None) -> None:
    assert first_look(most, LEVEL) == least


@pytest.mark.parametrize(("first", "most", "level"), [(0, 5, 0.05), (6, 5, 0.05), (5, 5, 1.0)])
def test_looks_that_cannot_be_are_refused(first: int, most: int, level: float) -> None:
    with pytest.raises(ValueError, match="expected 1 <= first <= most"):
        levels(first, most, level)
