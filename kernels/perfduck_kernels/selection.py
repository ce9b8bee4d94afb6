"""Which implementation of the hot loops runs: native where perfduck-native has them, else numpy;
or the one that $PERFDUCK_KERNELS names."""

import os
from importlib import import_module
from typing import Literal, cast

from perfduck_kernels import native
from perfduck_kernels.interface import Kernels
from perfduck_model.errors import PerfduckError

VARIABLE = "PERFDUCK_KERNELS"
_WHERE = f"${VARIABLE}"
Name = Literal["native", "numpy"]
_MODULES: dict[Name, str] = {
    "native": "perfduck_kernels.native_kernels",
    "numpy": "perfduck_kernels.numpy_kernels",
}
_HOW = "`pip install ./kernels/native` in a checkout builds it (cargo: rustup.rs)"


def implementation() -> Kernels:
    """The module with the functions; raises PerfduckError where the variable cannot be met."""
    return cast(Kernels, import_module(_MODULES[name()]))


def name() -> Name:
    """Of the implementation that runs."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return "native" if native.has_kernels() else "numpy"
    if wanted == "native" and not native.has_kernels():
        version = native.version()
        got = f"perfduck-native {version}, which has none" if version else "no perfduck-native"
        raise PerfduckError.at(_WHERE, expected="native kernels", got=f"{got}: {_HOW}")
    for known in _MODULES:
        if known == wanted:
            return known
    raise PerfduckError.at(_WHERE, expected=" or ".join(_MODULES), got=wanted)
