r"""Names are data: hostile ones in every command and every format.

`symbol "\x1b]0;title\x07"` in a recording is shown as that, and sets the title of no terminal.
"""

import ast
import csv
import io
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hostile import NAMES, build
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rows import mostly_slow
from typer.testing import CliRunner

from perfduck_cli.main import app
from perfduck_report import names

TURNS = (0, pytest.param(len(NAMES) // 2, marks=pytest.mark.slow))
KEYS = ("function", "path", "subsystem", "source", "dso", "comm", "cgroup")
DIFF = ("diff", "side=base", "side=new")
TABLES = (
    ("profiles",),
    *(("top", "side=new", "--by", key, "--limit", "99") for key in KEYS),
    ("top", "side=new", "net_rx_action", "--by", "callees", "--limit", "99"),
    ("sql", "select distinct function, dso, comm, labels, work_unit from hit order by all"),
    ("sql", "select text, source from attachment order by all"),
)
OTHERS = (
    DIFF, (*DIFF, "--by", "path"), ("compare", "*", "--over", "side"), ("tag",),
    ("symbols", "list"), *(("explain", name) for name in NAMES[2::3]),
    *(("top", name) for name in NAMES[::3]),
    *(("top", "*", name, "--by", "callers") for name in NAMES[1::3]),
)  # fmt: skip
text_of_any_kind = st.text(st.characters()) | st.sampled_from(NAMES)


@pytest.fixture(scope="module", params=TURNS)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    build(folder / "store.duckdb", folder, request.param)
    return folder / "store.duckdb"


def answer(store: Path, *words: str) -> str:
    """stdout; what an error says is as harmless, and never a crash."""
    at = [] if words[0] == "explain" else ["--store", str(store)]
    command, rest = (words[:2], words[2:]) if words[0] == "symbols" else (words[:1], words[1:])
    result = CliRunner().invoke(app, [*command, *at, *_guarded(list(rest))])
    error = result.exception
    assert error is None or isinstance(error, SystemExit) or "Error" in type(error).__name__, error
    if error is not None and not isinstance(error, SystemExit):
        assert type(error).__name__ in ("PerfduckError", "NoProfileError"), error
        assert is_harmless(names.visible(str(error)))
    return result.stdout


def _guarded(words: list[str]) -> list[str]:
    """Options first: an argument may begin with a dash."""
    first = next((place for place, word in enumerate(words) if word.startswith("--")), len(words))
    return [*words[first:], *(["--"] if words[:first] else []), *words[:first]]


def is_harmless(text: str, besides: str = "\n") -> bool:
    return all(character.isprintable() or character in besides for character in text)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    mostly_slow([(each,) for each in [*TABLES, *OTHERS[:5]]], 4),
    ids=lambda words: " ".join(words)[:40],
)
def test_text_is_printable(words: tuple[str, ...], store: Path) -> None:
    shown = answer(store, *words)
    assert shown
    assert is_harmless(shown)


@pytest.mark.slow
def test_names_that_a_user_types_are_names(store: Path) -> None:
    for words in OTHERS[5:]:
        assert is_harmless(answer(store, *words)), words


@pytest.mark.slow
def test_text_shows_markup_and_emoji_codes_as_they_are(store: Path) -> None:
    shown = answer(store, "top", "side=new", "--limit", "99")
    for name in (":smile:", "[bold]red[/bold]", r"\[/x]", "<script>alert(1)</script>"):
        assert name in shown
    for name, visible in (("\x1b[31mred", r"\x1b[31mred"), ("a\nb", r"a\nb"),
                          ("\u202eevil", r"\u202eevil"), ("a\x00b", r"a\x00b")):  # fmt: skip
        assert visible in shown
        assert name not in shown


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", mostly_slow([(each,) for each in TABLES], 4), ids=lambda words: " ".join(words)[:40]
)
def test_csv_has_no_formula_and_a_record_a_row(words: tuple[str, ...], store: Path) -> None:
    shown = answer(store, *words, "--format", "csv")
    rows = json.loads(answer(store, *words, "--format", "json"))
    assert is_harmless(shown, "\n\t")
    records = list(csv.reader(io.StringIO(shown)))
    assert len(records) == len(rows) + 1
    assert {len(record) for record in records} == {len(rows[0])}
    for record in records:
        for cell in record:
            assert not re.match(r"[=@\t\r]|[+-](?!\d*\.?\d+(e[+-]?\d+)?$)", cell), cell


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    mostly_slow([(each,) for each in [*TABLES, DIFF, OTHERS[2]]], 4),
    ids=lambda words: " ".join(words)[:40],
)
def test_json_is_valid_and_has_names_as_they_are(words: tuple[str, ...], store: Path) -> None:
    shown = answer(store, *words, "--format", "json")
    assert is_harmless(shown)
    json.loads(shown.encode())
    if words == TABLES[1]:
        assert {row["function"] for row in json.loads(shown)} >= set(NAMES)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    mostly_slow([(each,) for each in [*TABLES, DIFF, OTHERS[2]]], 4),
    ids=lambda words: " ".join(words)[:40],
)
def test_markdown_has_no_markup_but_ours(words: tuple[str, ...], store: Path) -> None:
    shown = answer(store, *words, "--format", "markdown")
    assert is_harmless(shown)
    tags = re.compile(r"</?details( open)?>|<summary>By \w+</summary>|\s|</?details><summary>.*")
    columns: list[int] = []
    for token in tokens(shown):
        if token.type in ("html_block", "html_inline"):
            assert tags.sub("", token.content) == ""
        assert token.type not in ("link_open", "image", "em_open", "fence", "code_block")
        if token.type == "tr_open":
            columns.append(0)
        if token.type in ("td_open", "th_open"):
            columns[-1] += 1
    assert columns
    # a cell too many is cut by the parser: count the bars that are not escaped as well
    for line in re.findall(r"^\| .*", shown, re.MULTILINE):
        assert len(re.findall(r"(?<!\\)\|", line)) - 1 in columns, line


def tokens(markdown: str) -> list[Any]:
    flat = []
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        flat += [token, *(token.children or ())]
    return flat


@pytest.mark.slow
def test_junit_is_well_formed(store: Path, tmp_path: Path) -> None:
    budget = tmp_path / "budget.toml"
    budget.write_text('[budget]\ntotal = "5 %"\n')
    for words in ((*DIFF, "--budget", str(budget)), DIFF):
        suite = ElementTree.fromstring(answer(store, *words, "--format", "junit"))
        assert suite.tag == "testsuite"
        assert all(is_harmless(text) for text in suite.itertext())


def test_a_folded_stack_is_a_line_that_can_be_read_back(store: Path) -> None:
    lines = answer(store, "export", "side=new").splitlines()
    assert all(re.fullmatch(r".* \d+", line) and is_harmless(line) for line in lines)
    frames = {read_back(frame) for line in lines for frame in line.rpartition(" ")[0].split(";")}
    assert frames >= set(NAMES)


def test_a_firefox_profile_has_harmless_names(store: Path) -> None:
    text = answer(store, "export", "side=new", "--format", "firefox")
    assert is_harmless(text)
    assert set(map(names.visible, NAMES)) <= set(json.loads(text)["shared"]["stringArray"])


@pytest.mark.slow
@pytest.mark.parametrize("words", [DIFF, ("export", "side=new")], ids=["diff", "export"])
def test_html_has_no_script_but_ours(words: tuple[str, ...], store: Path) -> None:
    shown = answer(store, *words, "--format", "html")
    body = re.sub(r"<script[^>]*>.*?</script>", "", shown, flags=re.DOTALL)
    assert "<script" not in body
    assert "<b>" not in body.replace("<b>perfduck</b>", "").replace("<b>Note", "").replace(
        "<b>No verdict", ""
    )
    assert is_harmless(body, "\n\xa0")
    assert "alert(1)" in shown


def read_back(frame: str) -> str:
    text = frame.replace('"', r"\"")
    return str(ast.literal_eval(f'"{text}"'))


@given(text_of_any_kind)
def test_every_text_has_a_harmless_form(text: str) -> None:
    assert is_harmless(names.visible(text))
    assert names.visible(names.visible(text)) == names.visible(text)
    names.visible(text).encode()
    assert is_harmless(names.csv(text), "\n\t")
    assert not names.csv(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert is_harmless(names.folded(text))
    assert ";" not in names.folded(text)


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(NAMES))
def test_what_is_reversible_comes_back(text: str) -> None:
    assert read_back(names.folded(text)) == text
    assert json.loads(names.as_json([text])) == [text]
    written = names.toml_key(text)
    assert list(tomllib.loads(f"{written} = 1")) == [text]
    assert is_harmless(written)


@pytest.mark.parametrize("form", [names.markdown, names.markdown_code])
@given(text=text_of_any_kind)
def test_a_cell_of_markdown_holds_one_name(form: Callable[[str], str], text: str) -> None:
    shown = [
        token
        for token in tokens(f"| a | b |\n| --- | --- |\n| {form(text)} | end |\n")
        if token.type in ("text", "code_inline") or token.type.startswith(("html", "link", "em"))
    ]
    contents = [token.content for token in shown]
    assert contents[-1] == "end"
    assert " ".join(contents[2:-1]).strip() == names.visible(text).strip()
    assert all(token.type in ("text", "code_inline") for token in shown)
