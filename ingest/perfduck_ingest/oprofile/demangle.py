"""C++ and Java names as their programmers wrote them.

    _ZN3cmpclERKSt4pairIidES3_           cmp::operator()(std::pair<int, double> const&, ...)
    LDemo;hotLoop(Ljava/lang/String;)V   void Demo.hotLoop(java.lang.String)

C++ by the C++ runtime of this machine; where there is none its names stay as they are.
"""

import ctypes
import re
from collections.abc import Callable
from functools import lru_cache

_RUNTIMES = ("libstdc++.so.6", "libc++abi.so.1", "libc++abi.dylib")
_LONGEST = 1 << 14
_JAVA = re.compile(r"L(?P<type>[^;()]+);(?P<method>[^;()]+)\((?P<arguments>[^()]*)\)(?P<result>.+)")
_JAVA_TYPE = re.compile(r"(?P<arrays>\[*)(?:L(?P<type>[^;]+);|(?P<letter>[BCDFIJSVZ]))")
_JAVA_LETTERS = {
    "B": "byte", "C": "char", "D": "double", "F": "float", "I": "int", "J": "long",
    "S": "short", "V": "void", "Z": "boolean",
}  # fmt: skip


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
    """The name that `name` encodes; `name` itself if it encodes none."""
    if match := _JAVA.fullmatch(name):
        return _java(match)
    demangler = _demangler()
    if demangler is None or not name.startswith("_Z") or len(name) > _LONGEST:
        return name
    text = demangler(name.encode("utf-8", "replace"))
    return text.decode("utf-8", "replace") if text is not None else name


def _java(name: re.Match[str]) -> str:
    method = f"{name['type'].replace('/', '.')}.{name['method']}"
    (result, *_) = [*_java_types(name["result"]), "?"]
    return f"{result} {method}({', '.join(_java_types(name['arguments']))})"


def _java_types(text: str) -> list[str]:
    return [
        (type["type"] or _JAVA_LETTERS[type["letter"]]).replace("/", ".")
        + "[]" * len(type["arrays"])
        for type in _JAVA_TYPE.finditer(text)
    ]
