"""Numbers and their units as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfduck_diff.engine.result import Change
from perfduck_report.numbers import amount, many, per_second, scale, scaled, seconds


@pytest.mark.parametrize(
    ("unit", "value", "shown"),
    [
        ("ns/request", 1_650_000, "1.65 ms/request"),
        ("ns/request", 66_221, "66.2 us/request"),
        ("ns/packet", 3_498, "3,498 ns/packet"),
        ("ns/byte", 0.2, "0.200 ns/byte"),
        ("ns/byte", 0.02, "20.0 ps/byte"),
        ("ms", 12_727, "12.7 s"),
        ("cycles/request", 1_650_000, "1.65 Mcycles/request"),
        ("cycles", 12_345, "12.3 kcycles"),
        ("%", 12_345, "12,345 %"),
        ("ns/packet", 0, "0 ns/packet"),
    ],
)
def test_a_unit_fits_its_number(unit: str, value: float, shown: str) -> None:
    found = scale(unit, value)
    assert f"{amount(value * found.factor)} {found.unit}" == shown


@given(st.floats(1e-9, 1e18), st.sampled_from(["ns", "ms", "cycles", "sample"]))
def test_a_scaled_number_is_the_same_amount(value: float, quantity: str) -> None:
    times = {"ps": 1e-12, "ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
    counts = {prefix + quantity: 1e3**n for n, prefix in enumerate(["", "k", "M", "G", "T"])}
    units = times if quantity in times else counts
    found = scale(f"{quantity}/x", value)
    assert value * found.factor * units[found.unit.removesuffix("/x")] == pytest.approx(
        value * units[quantity]
    )
    assert not value * found.factor >= 10_000 or found.unit in ("s/x", f"T{quantity}/x")


def test_amounts_are_scaled_and_chances_are_not() -> None:
    change = Change(base=2e6, new=3e6, delta=1e6, low=5e5, high=None, p=0.01)
    found = scaled(change, scale("ns/x", 2e6))
    assert found == Change(base=2.0, new=3.0, delta=1.0, low=0.5, high=None, p=0.01)


def test_one_is_singular() -> None:
    assert many(1, "path") == "1 path"
    assert many(0, "query") == "0 queries"
    assert many(7_944, "sample") == "7,944 samples"


def test_time_and_throughput_have_units() -> None:
    assert (seconds(4.07), seconds(0.35)) == ("4.07 s", "350 ms")
    assert per_second(86_941, "request", 4.0) == "21,735 requests/s"
    assert per_second(5e9, "byte", 4.0) == "1.25 Gbytes/s"
    assert per_second(None, "request", 4.0) == ""
