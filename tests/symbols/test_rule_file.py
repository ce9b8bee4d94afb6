from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfduck_model.errors import SymbolError
from perfduck_tags import rule_file
from perfduck_tags.rule_file import file_of, read
from perfduck_tags.rules import Rule, Rules, beginnings, glob_regex
from perfduck_tags.tagger import Tagger

CSV = """\
# ours come first
symbol,source,module,dso,area,subsystem,role
"^br_(dev|handle)_",,,,ours,our_bridge,
,net/core/skbuff.c,,,ours,our_skb,domain
,,my_nic*,,drivers/net,my_nic,helper
,,,*/our-server,user,our_server,domain
"""
TOML = """
[[rule]]
symbol = "^br_(dev|handle)_"
area = "ours"
subsystem = "our_bridge"

[[rule]]
source = "net/core/skbuff.c"
area = "ours"
subsystem = "our_skb"
role = "domain"

[[rule]]
module = "my_nic*"
area = "drivers/net"
subsystem = "my_nic"
role = "helper"

[[rule]]
dso = "*/our-server"
area = "user"
subsystem = "our_server"
"""
SYMBOLS = pl.DataFrame(
    {
        "symbol_id": range(6),
        "name": ["br_handle_frame", "skb_clone", "nic_poll", "main", "br_fdb_find", "nic_poll"],
        "dso": ["[kernel]", "[kernel]", "[my_nic_2]", "/opt/our-server", "[bridge]", "[e1000]"],
        "address": pl.Series([None] * 6, dtype=pl.Int64),
    }
)


@pytest.mark.parametrize(("name", "text"), [("rules.csv", CSV), ("rules.toml", TOML)])
def test_the_users_rules_stand_in_front(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    tagged = Tagger(rules=file_of(path)).tag(SYMBOLS)
    subsystems = ["our_bridge", "our_skb", "my_nic", "our_server", "bridge", "nic:intel"]
    assert tagged["subsystem"].to_list() == subsystems
    assert tagged["tagged_by"].to_list() == ["user-rule"] * 4 + ["module"] * 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("r.csv", "", "r.csv: expected a header line, got nothing"),
        ("r.csv", "source,area\n", "r.csv:1: expected a column subsystem, got source, area"),
        ("r.csv", "path,area,subsystem\n", "r.csv:1: expected columns of source, module, symbol"),
        ("r.csv", "#\nsource,area,subsystem\na,b\n", "r.csv:3: expected 3 cells (source,area,sub"),
        ("r.csv", "source,area,subsystem\n,b,c\n", "r.csv:2: expected at least one of source"),
        (
            "r.csv",
            "source,area,subsystem\na,,c\n",
            "r.csv:2: expected text for area, got an empty cell",
        ),
        ("r.csv", 'source,area,subsystem\n"a,b,c\n', "r.csv:2: expected CSV, got"),
        ("r.csv", "symbol,area,subsystem\n(a,b,c\n", "r.csv:2: expected a regular expression, got"),
        ("r.csv", "source,area,subsystem,role\na,b,c,boss\n", "r.csv:2: expected a role of domain"),
        ("r.toml", "[[rule]\n", "r.toml: expected TOML, got"),
        ("r.toml", "\n[[rule]]\narea = 'a'\n", "r.toml:2: expected a column subsystem, got area"),
        ("r.toml", "[[rule]]\narea=1\nsubsystem='a'\n", "r.toml:1: expected text for area, got 1"),
        ("r.toml", "rule = 3\n", "r.toml: expected tables [[rule]]"),
    ],
)
def test_a_wrong_file_gets_the_line_and_the_reason(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(SymbolError) as refused:
        Tagger(rules=file_of(path))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SymbolError, match="expected a file of rules, got: No such file"):
        read(file_of(tmp_path / "none.csv"))


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.text(), st.sampled_from(["csv", "toml"]))
def test_any_text_is_rules_or_one_line_of_trouble(
    tmp_path_factory: pytest.TempPathFactory, text: str, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("rules") / f"rules.{suffix}"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    said = ""
    try:
        read(file_of(path))
    except SymbolError as error:
        said = str(error)
    assert len(said.splitlines()) <= 1


def test_a_star_crosses_directories_and_a_question_mark_is_one_character() -> None:
    paths = pl.Series(["net/ipv4/tcp.c", "net/ipv6/sub/tcp.c", "xnet/ipv4/tcp.c"])
    assert paths.str.contains(glob_regex("net/ipv?/*tcp.c")).to_list() == [True, True, False]


def rule(where: str, **conditions: str) -> Rule:
    return Rule(where, area="a", subsystem=where, role="domain", **conditions)


@pytest.mark.slow
@given(st.text("ab*?", min_size=1), st.lists(st.text("ab", max_size=6)))
def test_a_glob_matches_what_its_regular_expression_does(glob: str, values: list[str]) -> None:
    sources = pl.Series("source", values, pl.String)
    empty = pl.lit(None, pl.String)
    rows = sources.to_frame().with_columns(module=empty, symbol=empty, dso=empty)
    decided = Rules((rule("r:1", source=glob),)).classify(rows)["rule"]
    assert decided.is_not_null().to_list() == sources.str.contains(glob_regex(glob)).to_list()


@pytest.mark.parametrize(
    ("pattern", "known"),
    [
        ("^ab", {"ab"}),
        ("^(ab|cd)_e", {"ab", "cd"}),
        ("^(a(b|c)d|e)f", {"a", "e"}),
        ("^ab?c", {"a"}),
        ("^(ab)+", {"ab"}),
        ("^(ab)?c", {""}),
        ("^(ab){0,2}c", {""}),
        ("^(?:a|b)c", {"", "b"}),
        ("^(?i)ab", {""}),
        ("^a|b", {""}),
        (r"^[]|]a|b", {""}),
        (r"^[\]|]a|b", {""}),
        (r"^a\|b|c", {""}),
        ("ab", {""}),
    ],
)
def test_how_all_that_matches_a_pattern_begins(pattern: str, known: set[str]) -> None:
    assert set(beginnings(pattern)) == known


_PARTS = st.sampled_from([*"ab_()|?*+[]^$.", r"\|", r"\(", "(?:", "(?i)", "{0,1}", "[ab]"])


@pytest.mark.slow
@settings(max_examples=2000)
@given(st.lists(_PARTS, max_size=8).map("".join), st.lists(st.text("abAB_|(]", max_size=5)))
def test_what_a_pattern_matches_begins_like_it(pattern: str, values: list[str]) -> None:
    pattern = f"^{pattern}"
    names = pl.Series(values, dtype=pl.String)
    try:
        matching = names.filter(names.str.contains(pattern)).to_list()
    except pl.exceptions.ComputeError:  # no regular expression
        return
    assert all(name.startswith(beginnings(pattern)) for name in matching)


def test_the_first_rule_decides_however_many_conditions_it_has() -> None:
    ordered = Rules((
        rule("1", symbol="^b", source="net/*", module="m?"),
        rule("2", symbol="^b"),
        rule("3", source="net/a.c"),
        rule("4", source="n*"),
        rule("5", module="*"),
    ))  # fmt: skip
    rows = pl.DataFrame(
        [("net/a.c", "m1", "bx"), ("net/a.c", None, "bx"), ("net/a.c", "m1", "x"),
         ("nets.c", None, None), (None, "m1", "x"), ("x", None, None)],
        schema=["source", "module", "symbol"], orient="row",
    ).with_columns(dso=pl.lit(None, pl.String))  # fmt: skip
    assert ordered.classify(rows)["subsystem"].to_list() == ["1", "2", "3", "4", "5", None]


def test_every_shipped_rule_is_reached_and_says_where_it_stands() -> None:
    shipped = rule_file.shipped()
    assert len(shipped) > 420
    assert all(rule.where.endswith(tuple("0123456789")) for rule in shipped)
    assert {rule.role for rule in shipped} == {"domain", "helper", "context"}


def test_components_of_the_path_name_the_subsystem() -> None:
    empty = pl.lit(None, pl.String)
    sources = ["drivers/net/ethernet/intel/ice/ice_main.c", "drivers/gpio/gpiolib.c", "fs/ext4/x.c"]
    rows = pl.DataFrame({"source": sources}).with_columns(module=empty, symbol=empty, dso=empty)
    tags = Rules(rule_file.shipped()).classify(rows)
    assert tags["subsystem"].to_list() == ["nic:intel", "gpio", "ext4"]
