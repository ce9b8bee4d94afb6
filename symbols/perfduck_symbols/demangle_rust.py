"""Names of Rust since 2025 ("v0"), as perf prints them: without the hashes of crates.

    _RNvNtCs1234_7mycrate3foo3bar                     mycrate::foo::bar
    _RNvXs_NtCs1234_4core3fmtINtB4_3VeclE3fmt         <core::fmt::Vec<i32> as ...>::fmt
    _RNCNvCs1234_7mycrate4main0B3_                    mycrate::main::{closure#0}

The grammar is that of RFC 2603; what is printed is what rust-demangle.c of libiberty prints.
"""

import re
import string
from collections.abc import Callable

_BASIC = {
    "b": "bool", "c": "char", "e": "str", "u": "()", "a": "i8", "s": "i16", "l": "i32", "x": "i64",
    "n": "i128", "i": "isize", "h": "u8", "t": "u16", "m": "u32", "y": "u64", "o": "u128",
    "j": "usize", "f": "f32", "d": "f64", "z": "!", "p": "_", "v": "...",
}  # fmt: skip
_SPECIAL = {"C": "closure", "S": "shim"}
_BASE_62 = string.digits + string.ascii_lowercase + string.ascii_uppercase
_WORD = re.compile(r"(?P<punycode>u?)(?P<size>0|[1-9][0-9]{0,5})_?")
_MOST_STEPS = 20_000  # a name may refer back to itself and grow without end


class _Broken(Exception):
    """No name of this kind."""


def demangled_rust(name: str) -> str | None:
    """The name of a function as it is in the source; None where it is not of this kind."""
    reader = _Reader(name[2:])
    try:
        return reader.path(in_value=True)
    except (_Broken, RecursionError, ValueError):
        return None


class _Reader:
    """Reads one mangled name from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._steps = 0
        self._bound = 0  # lifetimes that `for<...>` around has named

    def _next(self) -> str:
        self._steps += 1
        if self._at >= len(self._text) or self._steps > _MOST_STEPS:
            raise _Broken
        self._at += 1
        return self._text[self._at - 1]

    def _eat(self, wanted: str) -> bool:
        is_there = self._text[self._at : self._at + 1] == wanted
        self._at += is_there
        return is_there

    def _base_62(self) -> int:
        if self._eat("_"):
            return 0
        end = self._text.find("_", self._at)
        if end < 0:
            raise _Broken
        value = 0
        for digit in self._text[self._at : end]:
            value = value * 62 + _BASE_62.index(digit)
        self._at = end + 1
        return value + 1

    def _optional(self, tag: str) -> int:
        return self._base_62() + 1 if self._eat(tag) else 0

    def _word(self) -> str:
        """An identifier without its disambiguator; letters outside ASCII stay in Punycode."""
        match = _WORD.match(self._text, self._at)
        if match is None:
            raise _Broken
        end = match.end() + int(match["size"])
        if end > len(self._text):
            raise _Broken
        word, self._at = self._text[match.end() : end], end
        return f"punycode{{{word}}}" if match["punycode"] else word

    def _back(self, read: Callable[[], str]) -> str:
        """What is further in front, once more."""
        place = self._base_62()
        here = self._at
        if place >= here - 1:
            raise _Broken
        self._at = place
        made = read()
        self._at = here
        return made

    def path(self, *, in_value: bool = False) -> str:
        """A path; in a value `::` is before type arguments."""
        tag = self._next()
        if tag == "C":
            self._optional("s")
            return self._word()
        if tag == "N":
            return self._nested(in_value=in_value)
        if tag in "MXY":
            return self._implementation(tag)
        if tag == "I":
            base = self.path(in_value=in_value)
            return f"{base}{'::' if in_value else ''}<{', '.join(self._until_end(self._argument))}>"
        if tag == "B":
            return self._back(lambda: self.path(in_value=in_value))
        raise _Broken

    def _nested(self, *, in_value: bool) -> str:
        space = self._next()
        base = self.path(in_value=in_value)
        number = self._optional("s")
        word = self._word()
        if space.isupper():
            label = _SPECIAL.get(space, space) + (f":{word}" if word else "")
            return f"{base}::{{{label}#{number}}}"
        return f"{base}::{word}" if word else base

    def _implementation(self, tag: str) -> str:
        if tag != "Y":
            self._optional("s")
            self.path()
        what = self.type()
        return f"<{what}>" if tag == "M" else f"<{what} as {self.path()}>"

    def _until_end(self, read: Callable[[], str]) -> list[str]:
        parts = []
        while not self._eat("E"):
            parts.append(read())
        return parts

    def _argument(self) -> str:
        if self._eat("L"):
            return self._lifetime(self._base_62())
        return self._constant() if self._eat("K") else self.type()

    def _lifetime(self, number: int) -> str:
        depth = self._bound - number
        if number == 0 or depth < 0:
            return "'_"
        return f"'{string.ascii_lowercase[depth]}" if depth < 26 else f"'_{depth}"

    def type(self) -> str:
        """A type."""
        tag = self._next()
        if tag in _BASIC:
            return _BASIC[tag]
        if tag in self._TYPES:
            return self._TYPES[tag](self)
        if tag == "B":
            return self._back(self.type)
        self._at -= 1
        return self.path()

    def _reference(self, mark: str) -> str:
        lifetime = self._base_62() if self._eat("L") else 0
        name = f"{self._lifetime(lifetime)} " if lifetime else ""
        return f"&{name}{mark}{self.type()}"

    def _array(self) -> str:
        item = self.type()
        return f"[{item}; {self._constant()}]"

    def _tuple(self) -> str:
        items = self._until_end(self.type)
        return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"

    def _function(self) -> str:
        before = self._bound
        made = self._binder() + ("unsafe " if self._eat("U") else "")
        if self._eat("K"):
            abi = "C" if self._eat("C") else self._word().replace("_", "-")
            made += f'extern "{abi}" '
        made += f"fn({', '.join(self._until_end(self.type))})"
        if not self._eat("u"):
            made += f" -> {self.type()}"
        self._bound = before
        return made

    def _binder(self) -> str:
        count = self._optional("G")
        if count > 100:
            raise _Broken
        self._bound += count
        names = (self._lifetime(number) for number in range(count, 0, -1))
        return f"for<{', '.join(names)}> " if count else ""

    def _dynamic(self) -> str:
        before = self._bound
        made = f"dyn {self._binder()}{' + '.join(self._until_end(self._trait))}"
        self._bound = before
        if not self._eat("L"):
            raise _Broken
        lifetime = self._base_62()
        return f"{made} + {self._lifetime(lifetime)}" if lifetime else made

    def _trait(self) -> str:
        made = self.path()
        while self._eat("p"):
            binding = f"{self._word()} = {self.type()}"
            made = f"{made[:-1]}, {binding}>" if made.endswith(">") else f"{made}<{binding}>"
        return made

    def _constant(self) -> str:
        tag = self._next()
        if tag == "B":
            return self._back(self._constant)
        if tag == "p":
            return "_"
        sign = "-" if self._eat("n") else ""
        digits = ""
        while (digit := self._next()) != "_":
            digits += digit
        if any(digit not in string.hexdigits for digit in digits):
            raise _Broken
        value = int(digits or "0", 16)
        if tag == "b":
            return "true" if value else "false"
        if tag == "c":
            return repr(chr(value)) if value < 0x110000 else "_"
        return f"{sign}{value}" if len(digits) <= 16 else f"{sign}0x{digits}"

    _TYPES: dict[str, Callable[["_Reader"], str]] = {  # noqa: RUF012  # never changed
        "R": lambda self: self._reference(""),
        "Q": lambda self: self._reference("mut "),
        "P": lambda self: f"*const {self.type()}",
        "O": lambda self: f"*mut {self.type()}",
        "A": _array,
        "S": lambda self: f"[{self.type()}]",
        "T": _tuple,
        "F": _function,
        "D": _dynamic,
    }
