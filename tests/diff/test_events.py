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


CORE, ATOM, LOW = "cpu_core/cycles/P", "cpu_atom/cycles/P", "cpu_lowpower/cycles/P"
HYBRID = recorded((1, CORE, CORE, 30), (1, ATOM, ATOM, 10), (2, CORE, CORE, 9), (2, ATOM, ATOM, 6),
                  (2, "cpu_core/instructions/", "cpu_core/instructions/", 5))  # fmt: skip


def test_core_pmus_of_a_hybrid_cpu_are_kept_apart() -> None:
    clock = choose(HYBRID, names(1, 2))
    assert (clock.name, clock.unit) == (CORE, "cycles (cpu_core)")
    assert clock.of == {1: (CORE,), 2: (CORE,)}
    assert clock.other_pmus == (ATOM,)
    assert clock.notes == (
        f"a hybrid CPU, whose core PMUs are kept apart: {CORE} (70.9 % of the samples), {ATOM}"
        " (29.1 % of the samples); --event chooses one, --event cycles adds them up",
        "left out, as other events: cpu_core/instructions/ (5 samples); --event chooses",
    )


def test_there_may_be_three_core_pmus() -> None:
    rows = recorded((1, CORE, CORE, 3), (1, ATOM, ATOM, 10), (1, LOW, LOW, 4))
    clock = choose(rows, names(1))
    assert (clock.name, clock.other_pmus) == (ATOM, (LOW, CORE))


@pytest.mark.parametrize("event", [ATOM, "cpu_atom/cycles/", "cpu_atom/*"])
def test_one_core_pmu_is_chosen_by_name(event: str) -> None:
    clock = choose(HYBRID, names(1, 2), [event])
    assert (clock.of, clock.unit) == ({1: (ATOM,), 2: (ATOM,)}, "cycles (cpu_atom)")
    assert clock.other_pmus == ()
    assert clock.notes[:1] == (
        f"left out, of other core PMUs: {CORE} (39 samples); --event chooses",
    )


def test_core_pmus_are_added_up_where_that_is_asked_for() -> None:
    clock = choose(HYBRID[:2], names(1), ["cycles"])
    assert (clock.name, clock.unit) == ("cycles", "cycles")
    assert clock.of == {1: (CORE, ATOM)}
    assert clock.notes == (
        f"taken as one event: {CORE} (1 profile, 75.0 % of the weight),"
        f" {ATOM} (1 profile, 25.0 % of the weight);"
        " one of a core PMU is not one of another",
    )


def test_a_hybrid_cpu_and_another_have_no_event_in_common() -> None:
    rows = recorded((1, "cycles:P", "cycles", 30), (2, CORE, CORE, 40), (2, ATOM, ATOM, 10))
    clock = choose(rows, names(1, 2))
    assert clock.of == {2: (CORE,)}
    assert clock.missing == (f"left out: 1 profile without {CORE}: one (cycles:P, 30 samples)",)


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
