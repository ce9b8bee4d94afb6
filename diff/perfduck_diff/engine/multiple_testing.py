"""What many tests at once do to a p value."""

import numpy as np

from perfduck_model.arrays import Float64


def benjamini_hochberg(p: Float64, tested: int | None = None) -> Float64:
    """The q value of each p: the false discovery rate at which it is still significant. `p` may be
    the smallest of `tested` values."""
    order = np.argsort(p, kind="stable")
    raw = p[order] * (len(p) if tested is None else tested) / np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)
    return q
