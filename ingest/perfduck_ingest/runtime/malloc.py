"""glibc's malloc, where it is the C library: what is free goes back to the system, or is kept."""

import ctypes
import gc

# malloc.h: from this size on an allocation is a mapping of its own; keep no more than this on top.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MOST = 32 << 20  # that glibc allows


def trim() -> None:
    """What is free between memory in use, and in cycles of objects that nothing else refers to:
    150 MB after reading 635,000 samples of perf.data."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def retain() -> None:
    """For the rest of a process of our own that needs the same memory again and again: 153 MB of
    perf.data are read with 0.08 s of page faults less."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MOST)
        mallopt(_M_TRIM_THRESHOLD, _MOST)
