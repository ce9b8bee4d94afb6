"""Which event an answer is about: one rule, said in words with the sizes."""

import pytest

from perfduck_diff.events import choose, plain
from perfduck_model.errors import PerfduckError
from perfduck_store.records import RecordedEvent

NAMES = {1: "one", 2: "two", 3: "three"}


def recorded(*events: tuple[int, str, str, int]) -> list[RecordedEvent]:
    rows = [
        RecordedEvent(key, event, unit, samples, samples * 1e6)
        for key, event, unit, samples in events
    ]
    return sorted(rows, key=lambda row: -row.samples)


def names(*keys: int) -> dict[int, str]:
    return {key: NAMES[key] for key in keys}


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ("cpu-clock", "cpu-clock"),
        ("cpu-clock:ppp", "cpu-clock"),
        ("cycles:uP", "cycles:u"),
        ("cpu_core/cycles/P", "cycles"),
        ("cpu_atom/cycles/", "cycles"),
        ("cpu/cycles/ukP", "cycles:uk"),
        ("sched:sched_switch", "sched:sched_switch"),
        ("cpu/event=0x3c/ppp", "cpu/event=0x3c/ppp"),
        ("LLC_REFS:0x4f", "LLC_REFS:0x4f"),
    ],
)
def test_modifiers_of_precision_are_no_part_of_a_clock(event: str, name: str) -> None:
    assert plain(event) == name


def test_the_event_that_most_profiles_have_is_chosen_before_the_largest() -> None:
    rows = recorded(
        (1, "cycles", "cycles", 900), (1, "cpu-clock", "ns", 10), (2, "cpu-clock", "ns", 10)
    )
    clock = choose(rows, names(1, 2))
    assert (clock.name, clock.of) == ("cpu-clock", {1: ("cpu-clock",), 2: ("cpu-clock",)})
    assert clock.notes == ("left out, as other events: cycles (900 samples); --event chooses",)


def test_one_clock_under_two_names_is_merged_with_its_sizes() -> None:
    rows = recorded((1, "cpu-clock", "ns", 30), (2, "cpu-clock:ppp", "ns", 10))
    clock = choose(rows, names(1, 2))
    assert (clock.name, clock.unit) == ("cpu-clock", "ns")
    assert clock.notes == (
        "taken as one event: cpu-clock (1 profile, 75.0 % of the weight),"
        " cpu-clock:ppp (1 profile, 25.0 % of the weight)",
    )


def test_both_kinds_of_cpu_of_a_hybrid_are_one_event() -> None:
    rows = recorded((1, "cpu_core/cycles/P", "cpu_core/cycles/P", 30),
                    (1, "cpu_atom/cycles/P", "cpu_atom/cycles/P", 10))  # fmt: skip
    clock = choose(rows, names(1))
    assert (clock.name, clock.unit) == ("cycles", "cycles")
    assert clock.of == {1: ("cpu_core/cycles/P", "cpu_atom/cycles/P")}
    assert clock.notes == (
        "taken as one event: cpu_core/cycles/P (1 profile, 75.0 % of the weight),"
        " cpu_atom/cycles/P (1 profile, 25.0 % of the weight)",
    )
    atom = choose(rows, names(1), ["cpu_atom/cycles/P"])
    assert atom.of == {1: ("cpu_atom/cycles/P",)}


def test_a_clock_that_a_profile_has_twice_counts_once() -> None:
    rows = recorded((1, "cpu-clock", "ns", 30), (1, "cpu-clock:ppp", "ns", 29))
    clock = choose(rows, names(1))
    assert clock.of == {1: ("cpu-clock",)}
    assert "cpu-clock:ppp (29 samples)" in clock.notes[0]


def test_cpu_time_is_one_where_no_event_is_in_all_and_of_each_profile_one() -> None:
    rows = recorded((1, "cpu-clock", "ns", 30), (1, "task-clock", "ns", 28),
                    (2, "CPU_CLK_UNHALTED", "ns", 10), (3, "cpu-clock:u", "ns", 40))  # fmt: skip
    clock = choose(rows, names(1, 2, 3))
    assert clock.name == "CPU_CLK_UNHALTED|cpu-clock"
    assert clock.of == {1: ("cpu-clock",), 2: ("CPU_CLK_UNHALTED",)}
    assert clock.missing == (
        "left out: 1 profile without CPU_CLK_UNHALTED|cpu-clock: three (cpu-clock:u, 40 samples)",
    )


def test_wanted_events_are_exact_plain_or_globs_of_one_unit() -> None:
    rows = recorded((1, "cycles:P", "cycles", 30), (1, "cache-misses", "cache-misses", 9),
                    (1, "cpu-clock", "ns", 8), (1, "task-clock", "ns", 7))  # fmt: skip
    assert choose(rows, names(1), ["cycles"]).of == {1: ("cycles:P",)}
    assert choose(rows, names(1), ["cpu-clock", "task-clock"]).of[1] == ("cpu-clock", "task-clock")
    assert choose(rows, names(1), ["*-misses"]).name == "cache-misses"
    with pytest.raises(
        PerfduckError, match="expected events of one unit, got cpu-clock in ns, cyc"
    ):
        choose(rows, names(1), ["cycles", "cpu-clock"])
    with pytest.raises(PerfduckError, match="none of that name: did you mean cycles:P"):
        choose(rows, names(1), ["cicles"])
