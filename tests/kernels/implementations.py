"""The implementations of the hot loops, each of which passes every test of this folder."""

import pytest

from perfduck_kernels import Kernels, numpy_kernels

IMPLEMENTATIONS: dict[str, Kernels] = {"numpy": numpy_kernels}
each_implementation = pytest.mark.parametrize(
    "kernels", IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS
)
