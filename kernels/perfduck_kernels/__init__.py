"""Hot loops on columns. `kernels` is the implementation in use; the caches and constants that its
callers share are in hash_cache.py and constants.py."""

from perfduck_kernels import numpy_kernels
from perfduck_kernels.interface import Kernels

kernels: Kernels = numpy_kernels

__all__ = ["Kernels", "kernels"]
