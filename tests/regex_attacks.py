"""Every regular expression of the packages, and texts that make slow ones slow.

A repetition is attacked with what it repeats, many times, behind an example of what comes before
it, and with something at the end that does not match.
"""

import ast
import importlib
import io
import pickle
import pkgutil
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]

ROOT = Path(__file__).parents[1]
ROOMS = (
    "cli",
    "diff",
    "ingest",
    "kernels",
    "model",
    "perfduck",
    "report",
    "store",
    "symbols",
    "tags",
)
_SEARCHING = {"search", "sub", "subn", "finditer", "findall", "split"}  # begin anywhere
_MANY = 50  # a repetition of fewer is bounded
_TRIED = "a0 \t/[(:.-_=#,'\"<{é"


Expression = tuple[str | bytes, int]  # with its flags


def recorded() -> tuple[dict[Expression, str], set[Expression]]:
    """Each expression, and the file that compiles it: all modules are imported, and files of every
    format are looked at. And those that are searched for, not only matched."""
    found: dict[Expression, str] = {}
    searched: set[Expression] = set()
    real = re._compile  # type: ignore[attr-defined]

    def record(pattern: object, flags: int) -> object:
        compiled = real(pattern, flags)
        frame = sys._getframe(2)
        place = Path(frame.f_code.co_filename)
        if place.is_relative_to(ROOT) and place.relative_to(ROOT).parts[0] in ROOMS:
            found.setdefault((compiled.pattern, compiled.flags), place.stem)
            if sys._getframe(1).f_code.co_name in _SEARCHING:
                searched.add((compiled.pattern, compiled.flags))
        return compiled

    re._compile = record  # type: ignore[attr-defined]
    try:
        _import_all()
        _look_at_everything()
    finally:
        re._compile = real  # type: ignore[attr-defined]
    literals = _literals()
    all_found = {expression: place for expression, (place, _) in literals.items()} | found
    searched |= {expression for expression, (_, method) in literals.items() if method in _SEARCHING}
    return all_found, searched | _named()


def _calls() -> Iterator[tuple[Path, ast.Call, str, str]]:
    """Calls of OBJECT.METHOD: file, call, object, method."""
    for path in (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                yield path, call, ast.unparse(call.func.value), call.func.attr


def _literals() -> dict[Expression, tuple[str, str]]:
    """Those that stand in calls of `re`, of functions that nothing here calls: file and method."""
    found: dict[Expression, tuple[str, str]] = {}
    for path, call, called, method in _calls():
        first = call.args[0] if called == "re" and call.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str | bytes):
            flags = re.VERBOSE if "re.VERBOSE" in ast.unparse(call) else 0
            compiled = re.compile(first.value, flags)
            found[compiled.pattern, compiled.flags] = path.stem, method
    return found


def _named() -> set[Expression]:
    """Those that have a name in a module that searches with it."""
    modules = {module.__file__: module for module in sys.modules.values()
               if getattr(module, "__file__", None)}  # fmt: skip
    found = set()
    for path, _, called, method in _calls():
        named = getattr(modules.get(str(path)), called, None)
        if method in _SEARCHING and isinstance(named, re.Pattern):
            found.add((named.pattern, named.flags))
    return found


def _import_all() -> None:
    for room in ROOMS:
        package = next(
            path.name for path in (ROOT / room).iterdir() if path.name.startswith("perfduck")
        )
        for module in pkgutil.walk_packages([str(ROOT / room / package)], f"{package}."):
            if not module.name.endswith(("__main__", "demo")):
                importlib.import_module(module.name)


def _look_at_everything() -> None:
    """Expressions that depend on what is read."""
    from perfduck_ingest import foreign
    from perfduck_ingest.oprofile.report_columns import ReportColumns, guessed_columns
    from perfduck_ingest.perf_script.importer import _head_lines, _layout
    from perfduck_ingest.source import Source

    for path in sorted((ROOT / "fixtures" / "perf_script").glob("*/input.txt.xz")):
        with Source(str(path)) as source:
            layout = _layout(_head_lines(source))
            for one in (layout, layout.loose) if layout else ():
                re.compile(one.pattern)
    for text in (b"x\n" * 60, b"# x\n{}\n" * 30, b"12 a b\n" * 60):
        source = Source("x", io.BytesIO(text))
        for look in (foreign.binary, foreign.text, foreign.loose):
            look(source)
    for vma in (False, True):
        for cumulative in (False, True):
            _ = ReportColumns(vma, 2, cumulative, ()).numbers
    guessed_columns(["896       3.9221  kallsyms                 iperf3                   f"] * 9)


def attacks(pattern: str | bytes, flags: int) -> Iterator[tuple[str, str, str]]:
    """What comes before, what is repeated, and what comes behind."""
    text = pattern if isinstance(pattern, str) else pattern.decode("latin-1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = list(
            _parser.parse(text, flags & ~re.UNICODE if isinstance(pattern, bytes) else flags)
        )
    seen = set()
    for before, repeated in _repetitions(parsed, ""):
        for piece in repeated:
            for behind in ("\x00", "\n", " \x00"):
                if (attack := (before, piece, behind)) not in seen:
                    seen.add(attack)
                    yield attack


def _repetitions(nodes: list, before: str) -> Iterator[tuple[str, list[str]]]:
    previous: list[str] = []
    for operation, argument in nodes:
        if operation in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            _, most, body = argument
            if most == codes.MAXREPEAT or most > _MANY:
                pieces = _examples(list(body))
                yield before, pieces
                both = [one for one in pieces if one in previous or not previous]
                yield "", [*pieces, *(a + b for a in previous[:4] for b in pieces[:4]), *both]
                previous = pieces
            yield from _repetitions(list(body), before)
        elif operation is codes.SUBPATTERN:
            yield from _repetitions(list(argument[3]), before)
        elif operation is codes.BRANCH:
            for branch in argument[1]:
                yield from _repetitions(list(branch), before)
        before += _example([(operation, argument)])


def _examples(nodes: list) -> list[str]:
    """Texts that the nodes match: for a class, one of each kind of character in it."""
    if len(nodes) == 1 and nodes[0][0] in (codes.IN, codes.ANY, codes.NOT_LITERAL, codes.LITERAL):
        return [one for one in _characters(nodes[0]) if one][:6] or ["a"]
    return [_example(nodes) or "a"]


def _characters(node: tuple) -> list[str]:
    operation, argument = node
    if operation is codes.LITERAL:
        return [chr(argument)]
    compiled = _parser.parse("")  # a class is asked what it holds
    compiled.append(node)
    import re._compiler as compiler  # type: ignore[import-not-found]

    matcher = compiler.compile(compiled)
    return [one for one in [*_TRIED, *(chr(n) for n in range(33, 127))] if matcher.match(one)]


def _example(nodes: list) -> str:
    """The shortest text that the nodes match, or nearly."""
    made = ""
    for operation, argument in nodes:
        if operation in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            made += _example(list(argument[2])) * max(argument[0], 1 if argument[1] else 0)
        elif operation is codes.SUBPATTERN:
            made += _example(list(argument[3]))
        elif operation is codes.BRANCH:
            made += _example(list(argument[1][0]))
        elif operation in (codes.IN, codes.ANY, codes.NOT_LITERAL, codes.LITERAL):
            made += (_characters((operation, argument)) or [""])[0]
    return made


if __name__ == "__main__":
    sys.stdout.buffer.write(pickle.dumps(recorded()))
