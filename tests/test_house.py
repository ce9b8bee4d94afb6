"""What the rooms promise."""

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = sorted(ROOT.glob("*/perfduck*/"))
MODULES = [path for package in PACKAGES for path in sorted(package.rglob("*.py"))]


def test_every_room_is_looked_at() -> None:
    assert len(PACKAGES) == 10
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
