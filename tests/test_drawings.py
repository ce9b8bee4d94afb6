"""What pages draw: a function between callers and callees, samples over time, one recording."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import runs_of
from recordings import FIXTURES

import perfduck
from perfduck_diff.engine.flame import Flame
from perfduck_diff.engine.sandwich import sandwich

NAMES = "abcd"
_CHAINS = st.dictionaries(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=6).map(tuple),
    st.integers(1, 50),
    min_size=1,
    max_size=8,
)
SPANS_OF_20_MS = """
select ((time_ns - (select min(time_ns) from sample where profile_id = hit.profile_id)) // 20000000)
    * 0.02::double as start_s, sum(count) as hits
from hit
where profile = 'crr.1' and context <> 'idle' and comm = 'nginx'
group by all
order by all
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> perfduck.ProfileStore:
    opened = perfduck.open(tmp_path_factory.mktemp("drawings") / "s.duckdb")
    for name in ("docker0-nat.crr.1", "native.crr.1"):
        text = FIXTURES / "demo" / f"{name}.txt.xz"
        opened.ingest(text, name=name.replace("docker0-nat.", ""), work=1000, unit="request")
    return opened


def chains(flame: Flame) -> dict[tuple[str, ...], float]:
    """The own weight of each node that has any, by its path from the root."""
    paths: list[tuple[str, ...]] = [()]
    for node in range(1, flame.size):
        paths.append((*paths[flame.parent[node]], flame.name(node)))
    own = zip(paths, flame.own[:, 1].tolist(), strict=True)
    return {path: weight for path, weight in own if weight}


@pytest.mark.slow
@given(hits=_CHAINS)
def test_a_sandwich_is_every_stack_cut_at_the_outermost_frame(
    hits: dict[tuple[str, ...], int],
) -> None:
    runs = runs_of({";".join(path): [count] for path, count in hits.items()})
    found = sandwich(runs, np.arange(0), np.arange(1), "a")
    above: dict[tuple[str, ...], float] = {}
    below: dict[tuple[str, ...], float] = {}
    weights = dict(zip(hits, runs.weight[:, 0].tolist(), strict=True))
    for path, weight in weights.items():
        frames = [name for at, name in enumerate(path) if at == 0 or name != path[at - 1]]
        if "a" not in frames:
            continue
        at = frames.index("a")
        for trees, chain in ((above, frames[at::-1]), (below, frames[at:])):
            trees[tuple(chain)] = trees.get(tuple(chain), 0.0) + weight
    divisor = sum(weights.values()) / found.whole[1]
    for flame, wanted in ((found.callers, above), (found.callees, below)):
        assert chains(flame) == pytest.approx({p: w / divisor for p, w in wanted.items()})


@pytest.mark.slow
def test_callers_of_a_sandwich_are_those_that_are_ranked(store: perfduck.ProfileStore) -> None:
    found = json.loads(store.sandwich("crr.1", "nf_conntrack_in").to_json())
    ranked = store.calls("crr.1", "nf_conntrack_in", limit=100).frame
    trees = store.sandwich("crr.1", "nf_conntrack_in").data.callers
    weights = trees.inclusive()[:, 1]
    direct = {
        trees.name(node): weights[node]
        for node in range(trees.size)
        if node and trees.parent[node] == 1
    }
    assert dict(ranked.select("function", "total").iter_rows()) == pytest.approx(direct)
    assert found["callers"]["frames"][0][0] == "nf_conntrack_in"


@pytest.mark.slow
def test_a_sandwich_of_both_sides_has_both_totals(store: perfduck.ProfileStore) -> None:
    both = store.sandwich("crr.1", "tcp_v4_rcv", base="native.crr.1").data
    for side, name in enumerate(("native.crr.1", "crr.1")):
        alone = store.sandwich(name, "tcp_v4_rcv").data
        assert both.callees.total[side] == pytest.approx(alone.callees.total[1])
        assert both.whole[side] == pytest.approx(alone.whole[1])


@pytest.mark.slow
def test_a_function_that_is_not_there_is_said(store: perfduck.ProfileStore) -> None:
    with pytest.raises(perfduck.PerfduckError, match="did you mean nf_hook_slow"):
        store.sandwich("crr.1", "nf_hook_slo")


@pytest.mark.slow
def test_a_timeline_is_the_samples_that_are_asked_for(store: perfduck.ProfileStore) -> None:
    counted = store.sql(SPANS_OF_20_MS).frame.rows()
    found = store.timeline("crr.1", comm="nginx", skip="1s").frame
    assert found.select("start_s", "hits").rows() == [
        (pytest.approx(start), hits) for start, hits in counted
    ]
    whole = store.timeline("*", bucket="500ms").frame
    samples = store.top("*", limit=1).data.facts.samples
    assert whole["hits"].sum() == samples
    with pytest.raises(perfduck.PerfduckError, match="--bucket"):
        store.timeline("*", bucket="0s")


@pytest.mark.slow
def test_details_have_what_was_said_and_skipped(tmp_path: Path) -> None:
    opened = perfduck.open(tmp_path / "s.duckdb")
    text = "a 1 [000] 1.5: 10 cycles: \n\tff x+0x1 ([kernel.kallsyms])\n\nwhat is <this>\n\n"
    rules = FIXTURES / "demo" / "docker0-nat.udp64.1.iptables.txt"
    opened.ingest(
        text.encode(), name="one", work=5, unit="packet", labels={"a": "b"}, lenient=True,
        attach={"iptables": rules},
    )  # fmt: skip
    found = opened.details("one")
    assert (found.facts.name, found.facts.work, found.facts.labels) == ("one", 5.0, {"a": "b"})
    assert [(each.line, each.text) for each in found.skipped] == [(4, "what is <this>")]
    assert [each.text for each in found.attachments] == [rules.read_text()]
    assert opened.details(found.selector) == found
    opened.ingest(b"a 1 [000] 1.5: 10 cycles: \n\tff x ([k])\n\n", name="two")
    with pytest.raises(perfduck.PerfduckError, match="expected one profile"):
        opened.details("*")
