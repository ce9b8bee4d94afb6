"""What the rooms promise."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from perfduck import attachments, exports
from perfduck_report import compare, diff, formats, tables
from perfduck_store.records import KIND_OF_TABLE, AttachedTable

ROOT = Path(__file__).parent.parent
PACKAGES = sorted(ROOT.glob("*/perfduck*/"))
MODULES = [path for package in PACKAGES for path in sorted(package.rglob("*.py"))]


def test_every_room_is_looked_at() -> None:
    assert len(PACKAGES) == 11
    assert len(MODULES) > 200


def test_no_public_class_name_is_defined_twice() -> None:
    places = defaultdict(list)
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_files_that_comments_and_pages_name_are_there() -> None:
    files = {path.name for path in ROOT.rglob("*.py") if ".venv" not in path.parts}
    texts = [
        *MODULES,
        *ROOT.glob("*/*.py"),
        *ROOT.glob("tests/*/*.py"),
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
    ]
    named = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in texts
        if path.name != "CHANGELOG.md"
        for name in re.findall(r"(?<![*\w])[a-z_]+\.py\b", path.read_text())
        if name not in files
    }
    assert named == set()


# What loads later than the file that names it, and what that saves of every command's start.
IMPORTS_IN_FUNCTIONS = {
    "scipy.optimize.linprog": "0.1 s, for comparisons with several claims",
    "perfduck_ingest.perf_data.resolver.SampleResolver": "polars: the reading process does without",
    "perfduck_ingest.perf_data.unwinding.StackUnwinder": "likewise, where there are no stacks",
    "perfduck_model.arrow.binaries": "polars, likewise",
    "jinja2.ChoiceLoader": "0.02 s, for pages",
    "polars": "0.1 s, for answers of a server that have frames; twice",
    "perfduck_store.duckdb.store.DuckDbStore": "of the process that runs SQL of users",
    "perfduck_symbols.dwarf.Dwarf": "pyelftools, where there is debug information",
}


def imported(node: ast.AST) -> list[str]:
    """The first name that an import statement imports."""
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{node.names[0].name}"]
    return [node.names[0].name] if isinstance(node, ast.Import) else []


def test_imports_are_at_the_top_but_for_those_that_are_worth_it() -> None:
    """LazyCommands, parts.py and FORMATS load whole commands, answers and importers when used."""
    functions = [
        function
        for path in MODULES
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    statements = {id(node): node for function in functions for node in ast.walk(function)}
    inside = [name for node in statements.values() for name in imported(node)]
    assert set(inside) == set(IMPORTS_IN_FUNCTIONS)
    assert len(inside) <= 10


# What tests replace in modules, and why nothing can be handed over in its place.
PATCHES = {
    "tests/record/conftest.py: recorder._KALLSYMS": "of this machine, which may hide it",
    "tests/test_every_option.py: recorder._KALLSYMS": "as in conftest.py",
}


def patches(path: Path) -> Iterator[str]:
    """What a test file replaces in modules that it imports, or names by a string."""
    tree = ast.parse(path.read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.asname or alias.name for node in imports for alias in node.names}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        called = ast.unparse(node.func)
        if called.endswith("setattr") or re.search(r"\bpatch(\.(object|multiple))?$", called):
            target, *more = map(ast.unparse, node.args)
            if target.split(".")[0] in names:
                yield f"{target}.{more[0].strip(chr(39)) if more else '*'}"
            elif target[0] in "'\"":
                yield target.strip("'\"")


def test_no_test_patches_a_module_where_something_can_be_handed_over() -> None:
    replaced = {
        f"{path.relative_to(ROOT)}: {what}"
        for path in (ROOT / "tests").rglob("*.py")
        for what in patches(path)
    }
    assert replaced == set(PATCHES)


def test_every_format_has_a_function_and_every_function_its_name() -> None:
    assert {*diff.FORMATS, "html"} == set(get_args(formats.DiffFormat))
    assert set(compare.FORMATS) == set(get_args(formats.CompareFormat))
    assert {*tables.FORMATS} - {"table"} == set(get_args(formats.TableFormat))
    assert set(exports.EXPORTS) == set(get_args(formats.ExportFormat))


def test_every_table_of_attachments_is_of_a_kind_that_is_parsed() -> None:
    assert set(KIND_OF_TABLE) == set(get_args(AttachedTable))
    assert set(KIND_OF_TABLE.values()) == set(attachments.PARSERS)


# Literary words, for which engineers have plain ones: fix, more expensive, is in, any.
FOREIGN_WORDS = re.compile(
    r"\b(mend|mends|dearer|told|untold|stands|anew|whatever|elsewhere|lies in|given back)\b", re.I
)
TEXTS = [
    *MODULES,
    *(
        path
        for package in PACKAGES
        for kind in ("sql", "html")
        for path in package.rglob(f"*.{kind}")
    ),
    *(ROOT / f"{page}.md" for page in ("README", "ARCHITECTURE", "CONTRIBUTING")),
    *ROOT.glob("docs/*.md"),
]


def test_words_are_plain() -> None:
    assert FOREIGN_WORDS.findall("Whatever stands elsewhere is told.")
    strange = {
        f"{path.relative_to(ROOT)}: {word}"
        for path in TEXTS
        for word in FOREIGN_WORDS.findall(path.read_text())
    }
    assert strange == set()


STORE = ROOT / "store" / "perfduck_store"
OTHER_MODULES = [path for path in MODULES if not path.is_relative_to(STORE)]
SQL = re.compile(
    r"""\s*(
    select\s | insert\s+into\s | delete\s+from\s | update\s+\S+\s+set\s
    | with\s+\S+\s+as\s*\( | from\s+\w+\s*$
    | (create|alter|drop|copy|attach|detach|checkpoint|pragma|set\s+variable)\s+\S+
    | (begin|rollback)\s*(transaction)?\s*;?\s*$
    | commit\s*(transaction|;)   # alone it is the name of a label
    )""",
    re.VERBOSE,
)
STATEMENTS = {"execute", "execute_on", "frame_on", "rows", "frame", "table", "insert"}


def texts(tree: ast.Module) -> Iterator[str]:
    """String literals that are no docstrings, and the parts of f-strings."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in docstrings:
            yield node.value


def statements(tree: ast.Module) -> Iterator[str]:
    """Calls by which a store would be asked in SQL, and imports of what asks it."""
    for node in ast.walk(tree):
        text = ast.unparse(node) if isinstance(node, ast.expr | ast.stmt) else ""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            on = ast.unparse(node.func.value).rpartition(".")[2].lstrip("_")
            if node.func.attr in STATEMENTS and on in ("store", "opened"):
                yield text
        elif isinstance(node, ast.Import | ast.ImportFrom) and re.search(
            r"\bimport duckdb\b|\bfrom duckdb\b|perfduck_store\S* import .*\bnamed\b", text
        ):
            yield text


def test_a_statement_is_known() -> None:
    found = ast.parse("""
def f(store):
    "Select from nothing."
    store.rows("select 1")
    self._store.execute(f"delete from {table}")
    import duckdb
    from perfduck_store.duckdb.schema import named
    return "commit;", "commit", "selected"
""")
    known = sorted(text for text in texts(found) if SQL.match(text))
    assert known == ["commit;", "delete from ", "select 1"]
    assert len(list(statements(found))) == 4


@pytest.mark.parametrize("path", OTHER_MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_but_the_store_has_sql(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert [text for text in texts(tree) if SQL.match(text)] == []
    assert list(statements(tree)) == []
