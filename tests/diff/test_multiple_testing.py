import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from perfduck_diff.engine.moderated_t import benjamini_hochberg

P = st.lists(st.floats(0, 1), min_size=1, max_size=30).map(np.array)


@given(P)
def test_q_values_are_those_of_scipy(p: np.ndarray) -> None:
    assert np.allclose(benjamini_hochberg(p), false_discovery_control(p))


@given(P, st.integers(0, 30))
def test_p_values_that_are_left_out_count_as_the_largest(p: np.ndarray, more: int) -> None:
    every = np.concatenate([p, np.ones(more)])
    q = benjamini_hochberg(p, tested=len(every))
    assert np.allclose(q, false_discovery_control(every)[: len(p)])
