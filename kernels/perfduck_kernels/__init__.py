"""Hot loops on columns. `kernels` is the implementation in use (selection.py); the caches and
constants that its callers share are in hash_cache.py and constants.py."""

from perfduck_kernels.interface import Kernels
from perfduck_kernels.selection import implementation

kernels: Kernels = implementation()

__all__ = ["Kernels", "kernels"]
