"""Maps over maps: what lies at an address is what was put there last."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perfduck_ingest.perf_data import records
from perfduck_ingest.perf_data.mappings import Mappings, MapsAt, address_space_of, laid_out
from perfduck_ingest.perf_data.process_state import ProcessState
from perfduck_ingest.perf_data.task_events import Comm, Fork, Mapping
from perfduck_model.limits import limited, limits

RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=25)


@given(RANGES)
def test_the_last_map_put_over_an_address_counts(ranges: list[tuple[int, int]]) -> None:
    maps = Mappings()
    wanted = [-1] * 90
    for number, (start, size) in enumerate(ranges):
        maps.insert(start, start + size, 1000 * number, number)
        wanted[start : start + size] = [number] * size
    addresses = np.arange(90, dtype=np.uint64)
    address_space = address_space_of(np.full(90, 7))
    found, places = MapsAt(laid_out({}), laid_out({int(address_space[0]): maps})).find(
        addresses, address_space
    )
    assert (found // 2).tolist() == wanted
    pgoff_biases = [1000 * number if number >= 0 else 0 for number in wanted]
    assert (places - addresses).tolist() == pgoff_biases


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 30), st.booleans()), max_size=80))
def test_a_copy_stays_as_it_is(changes: list[tuple[int, int, bool]]) -> None:
    """Blocks of up to 6 maps: they are split, joined and shared."""
    maps, wanted = Mappings(), [-1] * 120
    kept = []
    with limited(block_rows=6, few_rows=2):
        for number, (start, size, is_copied) in enumerate(changes):
            if is_copied:
                kept.append((maps, [*wanted]))
                maps = maps.copy()
            maps.insert(start, start + size, 0, number)
            wanted[start : start + size] = [number] * size
    for one, expected in [*kept, (maps, wanted)]:
        rows = one.rows()
        assert len(rows) == len(one)
        assert [dso for start, end, _, dso in rows for _ in range(start, end)] == [
            dso for dso in expected if dso >= 0
        ]
        some = set(range(0, 120, 7))
        at = {dso for *_, dso in one.at(some).rows()}
        assert at == {expected[address] for address in some} - {-1}


def test_versions_share_what_they_have_in_common() -> None:
    """Of 3,000 maps with a version after each, a block a version is held, not all maps."""
    maps, versions = Mappings(), []
    for n in range(3000, 0, -1):
        versions.append(maps)
        maps = maps.copy()
        maps.insert(10 * n, 10 * n + 5, 0, n)
    blocks = {id(block): len(block.starts) for one in versions for block in one.blocks}
    assert sum(len(one) for one in versions) > 4_000_000
    assert sum(blocks.values()) < 3000 * limits.block_rows


def a_map(pid: int, start: int, dso: str) -> Mapping:
    return Mapping(pid, start, start + 100, -start, dso, mode=records.USER, build_id=None)


def test_a_child_has_what_its_parent_had_when_it_was_born() -> None:
    process_state = ProcessState()
    task_events = [
        (0, 0, Comm(10, 10, "sh")),
        (0, 1, a_map(10, 1000, "/sh")),
        (5, 2, Fork(11, 11, 10, 10, inherits_maps=True)),
        (6, 3, a_map(10, 1000, "/later")),
        (7, 4, Comm(11, 11, "child")),
        (8, 5, Fork(10, 12, 10, 10, inherits_maps=True)),
    ]
    pid = np.array([10, 11, 11, 11, 10, 99])
    tid = np.array([10, 11, 11, 11, 12, 99])
    time = np.array([1, 4, 6, 9, 9, 9])
    comm, maps_version = process_state.advance(task_events, pid, tid, time)
    assert [process_state.comms[one] for one in comm] == ["sh", ":11", "sh", "child", "sh", ":99"]
    tables = {
        int(address_space_of(np.array(one))): table for one, table in process_state.tables.items()
    }
    maps = MapsAt(laid_out({}), laid_out(tables))
    dsos, _ = maps.find(np.full(6, 1050, np.uint64), address_space_of(maps_version))
    _, mapped = process_state.take_new()
    names = [mapped[dso // 2] if dso >= 0 else None for dso in dsos.tolist()]
    assert names == ["/sh", None, "/sh", "/sh", "/later", None]
