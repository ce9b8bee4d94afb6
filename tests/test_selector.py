"""Which profiles a selector means, and what is said where it means none."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfduck_model.errors import NoProfileError, PerfduckError
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.selector import Profile, SelectorTerm, by_id, parse, quoted, select

NAMES = ["c++", "c", "run[1]", "run1", "a,b", "k=v", 'say "hi"', "native.udp64.1", "native.crr.1"]
LABELS = {
    "native.udp64.1": {"scenario": "native", "workload": "udp64"},
    "native.crr.1": {"scenario": "native", "workload": "crr"},
    "c++": {"lang": "c++", "scenario": "a+b"},
}
PROFILE = """
insert into profile by name
select $key as profile_id, $name as name, 'x' as format, '-' as source, $name as content_hash,
    0 as lost, map($keys::varchar[], $values::varchar[]) as labels"""


@pytest.fixture(scope="module")
def named_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDbStore]:
    with DuckDbStore(tmp_path_factory.mktemp("selector") / "s.duckdb", write=True) as store:
        for key, name in enumerate(NAMES):
            labels = LABELS.get(name, {})
            store.execute(
                PROFILE,
                {"key": key, "name": name, "keys": list(labels), "values": list(labels.values())},
            )
        yield store


@pytest.mark.parametrize("key", [0, 5, -1, -(2**63), 2**63 - 1])
def test_an_id_means_its_profile_alone(key: int) -> None:
    [part] = parse(by_id(key))
    others = [Profile(other, "p", {}) for other in (0, 5, -1, -(2**63), 2**63 - 1)]
    assert [each.profile_id for each in part.of(others)] == [key]


def test_an_id_in_quotes_or_of_another_length_is_a_name() -> None:
    name = by_id(7)
    for selector, called in ((quoted(name), name), ("id:7", "id:7")):
        [part] = parse(selector)
        assert part.of([Profile(7, "seven", {})]) == []
        assert len(part.of([Profile(8, called, {})])) == 1


def test_profiles_are_listed_with_the_ids_that_select_them(named_store: DuckDbStore) -> None:
    rows = named_store.profiles.listing(range(len(NAMES))).select(["name", "id"]).rows()
    assert {name: list(select(named_store, f"id:{shown}").values()) for name, shown in rows} == {
        name: [name] for name in NAMES
    }
    with pytest.raises(NoProfileError, match="no profile has this id"):
        select(named_store, by_id(99))


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("c++", {"c++"}),
        ('"c++"', {"c++"}),
        ('"c++"+c', {"c++", "c"}),
        ("c+run1", {"c", "run1"}),
        ("run[1]", {"run[1]"}),
        ("run[1]+c", {"run[1]", "c"}),
        ("run[12]", {"run1"}),
        ('"run[1]"', {"run[1]"}),
        ("run?1?", {"run[1]"}),
        ("a,b", {"a,b"}),
        ('"a,b"+c', {"a,b", "c"}),
        ("k=v", {"k=v"}),
        ('"say ""hi"""', {'say "hi"'}),
        ('say "hi"', {'say "hi"'}),
        ("native.*", {"native.udp64.1", "native.crr.1"}),
        ('"native".*', {"native.udp64.1", "native.crr.1"}),
        ("scenario=native,workload=udp64", {"native.udp64.1"}),
        ("native.*,workload=u*", {"native.udp64.1"}),
        ('lang="c++"', {"c++"}),
        ('scenario="a+b"', {"c++"}),
        ("*", set(NAMES)),
    ],
)
def test_a_selector_means_these(selector: str, names: set[str], named_store: DuckDbStore) -> None:
    assert set(select(named_store, selector).values()) == names


def test_every_where_holds(named_store: DuckDbStore) -> None:
    found = select(named_store, "native.*", ["scenario=native", "workload=crr"])
    assert list(found.values()) == ["native.crr.1"]
    said = (
        r"native\.\*: expected a profile that is also workload=udp64, got none"
        r" \(they have workload crr\)"
    )
    with pytest.raises(PerfduckError, match=said):
        select(named_store, "native.*", ["workload=crr", "workload=udp64"])


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ("natve.udp64.1", "did you mean native.udp64.1? profiles: a,b, c, c++"),
        ("native", "(did you mean scenario=native? profiles: a,b, c, c++"),
        ("zebra", "(profiles: a,b, c, c++"),
        ("zebra", "and 1 more; labels: lang, scenario, workload)"),
        ("scenario=natif", "(did you mean native? scenario is one of: a+b, native)"),
        ("scenrio=native", "no profile has label scenrio; did you mean scenario? labels: lang, s"),
        ("scenario=native,workload=x", "workload is one of: crr, udp64)"),
        ("scenario=native,lang=c", "lang is one of: c++)"),
        ("c,run1", "(they are c; a comma means all of it, + any)"),
        ("scenario=native,lang=c*", "(they have lang not given, scenario native)"),
        ("", "expected a profile name, glob or label between + and ,; got an empty one"),
        ("c+", "got an empty one"),
        ("=x", "got an empty one"),
        ("scenario=native,", "got an empty one"),
        ('"c', 'expected a closing " in the selector'),
    ],
)
def test_what_means_nothing_is_said(selector: str, said: str, named_store: DuckDbStore) -> None:
    with pytest.raises(PerfduckError) as error:
        select(named_store, selector)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=3, unique=True))
def test_a_quoted_name_means_it_alone(names: list[str]) -> None:
    """Whatever is in it, and between others."""
    profiles = [Profile(key, name, {}) for key, name in enumerate([*names, "other", "x+y"])]
    parts: list[SelectorTerm] = parse("+".join(map(quoted, names)))
    assert [[each.name for each in part.of(profiles)] for part in parts] == [[n] for n in names]
