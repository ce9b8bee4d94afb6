"""The implementations of the hot loops, each of which passes every test of this folder."""

from importlib import import_module
from typing import cast

import pytest

from perfduck_kernels import Kernels, native, numpy_kernels

IMPLEMENTATIONS: dict[str, Kernels] = {"numpy": numpy_kernels}
if native.has_kernels():
    native_kernels = cast(Kernels, import_module("perfduck_kernels.native_kernels"))
    IMPLEMENTATIONS["native"] = native_kernels
each_implementation = pytest.mark.parametrize(
    "kernels", IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS
)
needs_native = pytest.mark.skipif(
    not native.has_kernels(), reason="perfduck-native is not built: `make native` needs cargo"
)
