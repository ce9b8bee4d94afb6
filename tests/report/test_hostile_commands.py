"""Commands that change or explain say names as data, too: stores, files and what a user types."""

import re
import shutil
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hostile import NAMES, build
from rows import mostly_slow
from typer.testing import CliRunner

from perfduck_cli.main import app
from perfduck_model.errors import PerfduckError
from perfduck_report import names
from perfduck_store.duckdb.store import DuckDbStore

# What a path or a selector can hold; NUL ends every argument.
TYPED = [name for name in NAMES if "\0" not in name]
IN_PATHS = [name for name in TYPED if len(name) < 200 and "/" not in name]


@pytest.fixture(scope="module")
def hostile_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    build(folder / "store.duckdb", folder, 0)
    with DuckDbStore(folder / "store.duckdb", write=True) as built:
        built.execute("update profile set ingested_at = timestamp '2020-01-01'")
    return folder / "store.duckdb"


@pytest.fixture
def store(hostile_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(hostile_store, tmp_path / "s.duckdb"))


def said(*words: str, store: Path | None = None) -> tuple[str, bool]:
    """What is printed, on standard output, standard error and as an error of one line, all
    harmless; and whether the command worked."""
    at = () if store is None else ("--store", str(store))
    result = CliRunner().invoke(app, [*words, *at])
    error = result.exception
    if error is not None and not isinstance(error, SystemExit):
        assert isinstance(error, PerfduckError), (words, error)
        line = names.visible(str(error))
        assert is_harmless(line), (words, line)
        return line, False
    for text in (result.stdout, result.stderr):
        assert is_harmless(text), (words, text)
    return result.stdout, result.exit_code == 0


def is_harmless(text: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in text)


def names_of(store: Path) -> list[str]:
    shown, _ = said("sql", "select name from profile order by all", "--format", "json", store=store)
    return re.findall(r'"name": (".*")', shown)


@pytest.mark.slow
@pytest.mark.parametrize("command", mostly_slow([(each,) for each in [
    ("edit", "side=base", "--label", "more=1"),
    ("edit", "side=base", "--work", "5", "--unit", "packet"),
    ("edit", "side=base", "--unlabel", "side"),
    ("rm", "side=base", "--dry-run"),
    ("rm", "side=base"),
    ("prune", "side=base", "--older-than", "1h", "--dry-run"),
    ("prune", "side=base", "--older-than", "1h"),
    ("budget", "suggest", "side=base"),
    ("noise", "learn", "*"),
    ("tag",),
    ("symbols", "list"),
    *(("symbols", "list", "--format", form) for form in ("csv", "json", "markdown")),
    ("profiles",),
]], 5), ids=" ".join)  # fmt: skip
def test_what_is_done_to_profiles_is_printable(command: tuple[str, ...], store: Path) -> None:
    shown, done = said(*command, store=store)
    assert done, shown
    assert shown


@pytest.mark.slow
def test_a_budget_that_is_suggested_is_toml_with_the_names(store: Path) -> None:
    shown, _ = said("budget", "suggest", "side=base", store=store)
    subsystems = tomllib.loads(shown)["budget"]["subsystem"]
    assert set(subsystems) & set(NAMES)


@pytest.mark.slow
def test_what_was_learned_of_noise_is_printable(store: Path) -> None:
    said("noise", "learn", "*", store=store)
    for form in ("text", "csv", "json", "markdown"):
        shown, done = said("noise", "list", "--format", form, store=store)
        assert done
        assert shown
    shown, done = said("noise", "forget", "--all", store=store)
    assert done
    assert shown


@pytest.mark.slow
def test_a_merge_says_names_of_both_stores(store: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(store, tmp_path / "other.duckdb"))
    assert said("edit", "side=base", "--label", "side=new", store=other)[1]
    for path in (other, Path(shutil.copy(store, tmp_path / "a\x1b[31m`|b.duckdb"))):
        said("merge", str(path), store=store)
    into = tmp_path / "new.duckdb"
    shown, done = said("merge", str(other), store=into)
    assert done
    assert shown
    assert len(names_of(into)) == 4


@pytest.mark.slow
@pytest.mark.parametrize("part", mostly_slow(range(4), 4))
def test_what_a_user_types_is_data(part: int, store: Path) -> None:
    for name in TYPED[part::4]:
        for words in (
            ("edit", "--label", f"{name}=x", "--", "side=base"),
            ("edit", "--label", f"x={name}", "--", "side=base"),
            ("edit", "--work", "5", "--unit", name, "--", "side=base"),
            ("edit", "--unlabel", name, "--", "side=base"),
            ("rm", "--dry-run", "--", name),
            ("prune", "--older-than", name, "--", "side=base"),
            ("budget", "suggest", "--", name),
            ("noise", "learn", "--", name),
            ("noise", "forget", "--", name),
            ("explain", "--release", name, "--", "nf_hook_slow"),
            ("explain", "--", name),
            ("explain", "--dso", name, "--", "nf_hook_slow"),
            ("attach", "--", name, "note=nowhere"),
            ("attach", "--", "side=base", name),
            ("symbols", "list", "--format", name),
            ("top", "--by", name, "--", "side=base"),
            ("top", "--where", name, "--", "side=base"),
            ("compare", "--over", name, "--", "*"),
            ("export", "--", name),
            ("sql", "--", name),
            ("sql", "--param", f"a={name}", "--", "select $a"),
        ):
            said(*words, store=store)


@pytest.mark.slow
def test_profiles_have_the_names_that_they_are_given(store: Path) -> None:
    first = said("sql", "select name from profile limit 1", "--format", "csv", store=store)
    assert first[1]
    for number, name in enumerate(TYPED):
        said("edit", "--name", f"{name}", "--", "run=1", store=store)
        said("edit", "--label", f"n={number}", "--", "*", store=store)
    assert len(names_of(store)) == 4


@pytest.mark.slow
@pytest.mark.parametrize("name", mostly_slow(IN_PATHS, 18))
def test_files_are_called_as_they_are(name: str, store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    path = folder / name
    path.write_text("entries found\nx y\n")
    for words in (
        ("attach", "side=base", f"note={path}"),
        ("attach", "side=base", f"conntrack={path}"),
        ("ingest", str(path)),
        ("ingest", "--manifest", str(path)),
        ("tag", "--rules", str(path)),
        ("tag", "--kallsyms", str(path)),
        ("explain", "--vmlinux", str(path), "nf_hook_slow"),
        ("diff", "side=base", "side=new", "--budget", str(path)),
        ("sql", "-f", str(path)),
        ("merge", str(path)),
    ):
        said(*words, store=store)
    said("profiles", store=path)


@pytest.mark.slow
def test_junit_is_valid_whatever_the_subsystems_and_budgets_are_called(
    store: Path, tmp_path: Path
) -> None:
    with DuckDbStore(store, write=True) as opened:
        opened.execute("update event set unit = 'ns'")  # others are no amount of a budget
    budget = tmp_path / "budget.toml"
    shown, _ = said("budget", "suggest", "side=base", store=store)
    budget.write_text(shown)
    diff = ("diff", "side=base", "side=new", "--budget", str(budget), "--format", "junit")
    result = CliRunner().invoke(app, [*diff, "--store", str(store)])
    assert result.stdout, result.exception
    suite = ElementTree.fromstring(result.stdout)
    assert len(suite.findall("testcase")) > 3
