"""pyproject.toml names what the packages import, so that an install has it, and nothing else."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = [
    ROOT / path for path in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
]
OURS_OR_PYTHONS = {path.name for path in PACKAGES} | sys.stdlib_module_names
IN_LATER_PYTHONS = {"compression"}  # 3.14

CORE = PROJECT["project"]["dependencies"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
SHIPPED = EXTRAS.keys() - {"bench", "bench-trend", "dev"}


def imported(file: Path) -> Iterator[str]:
    """Modules that a file imports, by the part before the first point."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).split(".")[0]


@pytest.mark.slow
def test_the_dependencies_are_what_is_imported() -> None:
    files = [file for package in PACKAGES for file in package.rglob("*.py")]
    modules = {module for file in files for module in imported(file)}
    foreign = modules - OURS_OR_PYTHONS - IN_LATER_PYTHONS
    sources = {module: names_of(module) for module in foreign}
    allowed = declared([*CORE, *(line for extra in SHIPPED for line in EXTRAS[extra])])
    assert {module for module, names in sources.items() if not names & allowed} == set()
    assert declared(CORE) <= set().union(*sources.values())


def names_of(module: str) -> set[str]:
    """Distributions that have files of it: a namespace such as `google` is in several."""
    return {name.lower().replace("_", "-") for name in packages_distributions()[module]}


def declared(lines: list[str]) -> set[str]:
    """Names of distributions; an extra may have some that its others import (python-multipart)."""
    return {re.split("[^a-z0-9.-]", text.lower())[0] for text in lines}
