"""C++ names as their programmers wrote them, by the C++ runtime of this machine.

    _ZN3cmpclERKSt4pairIidES3_    cmp::operator()(std::pair<int, double> const&, ...)

Where no C++ runtime is installed the names stay as they are.
"""

import ctypes
from collections.abc import Callable
from functools import lru_cache

_RUNTIMES = ("libstdc++.so.6", "libc++abi.so.1", "libc++abi.dylib")
_LONGEST = 1 << 14


@lru_cache(maxsize=1)
def _demangler() -> Callable[[bytes], bytes | None] | None:
    for runtime in _RUNTIMES:
        try:
            library = ctypes.CDLL(runtime)
        except OSError:
            continue
        function = library.__cxa_demangle
        function.restype = ctypes.c_void_p
        function.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        free = ctypes.CDLL(None).free
        free.argtypes = [ctypes.c_void_p]
        return lambda name: _call(function, free, name)
    return None


def _call(
    function: Callable[..., int | None], free: Callable[[int], None], name: bytes
) -> bytes | None:
    status = ctypes.c_int(0)
    address = function(name, None, None, ctypes.byref(status))
    if not address:
        return None
    text = ctypes.string_at(address)
    free(address)
    return text


def demangle(name: str) -> str:
    """The C++ name that `name` encodes; `name` itself if it encodes none."""
    demangler = _demangler()
    if demangler is None or not name.startswith("_Z") or len(name) > _LONGEST:
        return name
    text = demangler(name.encode("utf-8", "replace"))
    return text.decode("utf-8", "replace") if text is not None else name
