"""Names of Java methods, as the virtual machine writes them beside the code it made.

LDemo;hotLoop(Ljava/lang/String;)V   void Demo.hotLoop(java.lang.String)
"""

import re

_METHOD = re.compile(
    r"L(?P<type>[^;()]+);(?P<method>[^;()]+)\((?P<arguments>[^()]*)\)(?P<result>.+)"
)
_TYPE = re.compile(r"(?P<arrays>\[*)(?:L(?P<type>[^;]+);|(?P<letter>[BCDFIJSVZ]))")
_LETTERS = {
    "B": "byte", "C": "char", "D": "double", "F": "float", "I": "int", "J": "long",
    "S": "short", "V": "void", "Z": "boolean",
}  # fmt: skip


def demangled_java(name: str) -> str | None:
    """The method as it is declared; None where the name is not of this kind."""
    if (match := _METHOD.fullmatch(name)) is None:
        return None
    method = f"{match['type'].replace('/', '.')}.{match['method']}"
    (result, *_) = [*_types(match["result"]), "?"]
    return f"{result} {method}({', '.join(_types(match['arguments']))})"


def _types(text: str) -> list[str]:
    """Up to what is no type."""
    types, at = [], 0
    while match := _TYPE.match(text, at):
        name = match["type"] or _LETTERS[match["letter"]]
        types.append(name.replace("/", ".") + "[]" * len(match["arrays"]))
        at = match.end()
    return types
