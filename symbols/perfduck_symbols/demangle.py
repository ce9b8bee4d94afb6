"""C++, Rust and Java names as their programmers wrote them; perf leaves out parameters and hashes.

    mangled                  perf (demangled)       opreport (with_parameters)
    _ZN3app3BoxIiE4spinEi    app::Box<int>::spin    app::Box<int>::spin(int)
    _Z9transformIiEvT_       transform<int>         void transform<int>(int)
    _ZN1a1b17h0123...efE     a::b                   a::b::h0123...ef
    LDemo;loop(II)J          LDemo;loop(II)J        long Demo.loop(int, int)

The C++ library that the interpreter's modules use can demangle, but says parameters and return
types too. They stand behind the name, so it is given the name alone: the shortest beginning of the
mangled name that it takes. Where there is no such library C++ names stay as they are, and those of
Rust where perfduck_native is not installed.
"""

import ctypes
import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache

from perfduck_kernels import native
from perfduck_symbols.demangle_java import demangled_java

_LIBRARIES = ("libstdc++.so.6", "libc++abi.so.1", "libc++.1.dylib", "libc++abi.dylib")
_LONGEST = 1 << 14
_SPECIAL = ("_ZT", "_ZG")  # vtables, thunks, guards: perf prints their parameters
_UNSCOPED = re.compile(r"_Z(?:L|St)*(?P<length>\d+)")
_QUALIFIERS = (" const", " volatile", " &", " &&")
_RUST = re.compile(r"_R[CIMNXY]\w*\d\w*|_ZN.+17h[0-9a-f]{16}E")  # without what LLVM appends


@lru_cache(maxsize=1 << 15)  # libraries that lie in several places have the same names
def demangled(name: str) -> str:
    """The name as it is in the source; as it is where it is not mangled."""
    if not name.startswith(("_R", "_Z")) or stays_mangled(name):
        return name
    rust = _RUST.match(name)
    plain = native.demangled_rust(rust[0]) if rust else None
    if plain is None and name.startswith("_Z"):
        plain = _cplus(re.split(r"[.@]", name, maxsplit=1)[0] if "$" not in name else name)
    plt = "@plt" if name.endswith("@plt") else ""
    return name if plain is None else plain + plt


def stays_mangled(name: str) -> bool:
    """Whether it is a name of Rust, and nothing here can demangle it."""
    is_rust = name.startswith(("_R", "_Z")) and _RUST.match(name) is not None
    return is_rust and not native.has_rust_names()


def with_parameters(name: str) -> str:
    """The name with its parameters and hashes, as opreport shows it; as it is where it is not
    mangled."""
    if java := demangled_java(name):
        return java
    demangle = _demangler()
    if demangle is None or not name.startswith("_Z") or len(name) > _LONGEST:
        return name
    return demangle(name) or name


def _cplus(name: str) -> str | None:
    demangle = _demangler()
    if demangle is None:
        return None
    if name.startswith(_SPECIAL):
        return demangle(name)
    for end in _ends(name):
        plain = demangle(name[:end])
        if plain is not None:
            return _without_qualifiers(plain)
    whole = demangle(name)
    return None if whole is None else whole.partition("(")[0] or whole


def _without_qualifiers(plain: str) -> str:
    while plain.endswith(_QUALIFIERS):
        plain = plain[: plain.rindex(" ")]
    return plain


def _ends(name: str) -> Iterator[int]:
    """Where the name may end, without what it takes and returns."""
    unscoped = _UNSCOPED.match(name)
    start = 2
    if unscoped:
        start = unscoped.end() + int(unscoped["length"])
        if name[start : start + 1] != "I":  # no template
            yield start
    yield from (match.end() for match in re.finditer("E", name) if match.end() > start)


@cache
def _demangler() -> Callable[[str], str | None] | None:
    """The demangler of the C++ library; None where there is none."""
    library = _library()
    if library is None:
        return None
    function = getattr(library, "__cxa_demangle")  # the name would be mangled, too
    function.restype = ctypes.c_void_p
    free = ctypes.CDLL(None).free
    free.argtypes = [ctypes.c_void_p]

    def demangle(name: str) -> str | None:
        status = ctypes.c_int()
        made = function(name.encode("utf-8", "replace"), None, None, ctypes.byref(status))
        if not made:
            return None
        plain = ctypes.string_at(made).decode("utf-8", "backslashreplace")
        free(made)
        return plain

    return demangle


@cache
def _library() -> ctypes.CDLL | None:
    for name in _LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None
