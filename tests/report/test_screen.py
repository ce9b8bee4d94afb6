"""Text on terminals of any width, and in pipes."""

import json
import subprocess
from pathlib import Path

import pytest
from recordings import FIXTURES
from terminal import PROGRAM, on_terminal

from perfduck_report.screen import PIPE, flow, terminal
from perfduck_report.tables import text

pytestmark = pytest.mark.slow

DEMO = FIXTURES / "demo"
SIDES = ("diff", "scenario=native", "scenario=docker0-nat", "--where", "workload=crr")
ANSWERS = (
    ("profiles",),
    ("top", "scenario=docker0-nat,workload=crr"),
    ("top", "scenario=docker0-nat,workload=crr", "--by", "path"),
    ("top", "scenario=docker0-nat,workload=crr", "tcp_v4_rcv", "--by", "callers"),
    SIDES,
    ("compare", "workload=crr", "--over", "scenario"),
)
NORMALISED = ANSWERS[1:]


def piped(*words: str | Path, store: Path) -> str:
    command = [*PROGRAM, *map(str, words), "--store", str(store)]
    return subprocess.run(command, capture_output=True, text=True).stdout


@pytest.mark.parametrize("words", ANSWERS, ids=lambda words: " ".join(words[:4]))
@pytest.mark.parametrize(("columns", "most"), [(80, 80), (400, 250)])
def test_text_fits_the_terminal(
    words: tuple[str, ...], columns: int, most: int, demo_store: Path
) -> None:
    shown = on_terminal(*words, store=demo_store, columns=columns, environment={"NO_COLOR": "1"})
    assert max(map(len, shown.splitlines())) <= most


def test_a_pipe_gets_every_name_whole(demo_store: Path) -> None:
    assert sum("crr" in line for line in piped("profiles", store=demo_store).splitlines()) == 9
    path = piped("top", "docker0-nat.crr.1", "--by", "path", "--limit", "1", store=demo_store)
    rows = json.loads(
        piped("top", "docker0-nat.crr.1", "--by", "path", "--limit", "1", "--format", "json",
              store=demo_store)
    )  # fmt: skip
    assert rows[0]["path"].replace(";", " > ") in path
    columns = "    self   self %  subsystem  (self: us/request in exactly this call chain)\n"
    assert f"\n\n{columns}" in path


@pytest.mark.parametrize("words", NORMALISED, ids=lambda words: " ".join(words[:4]))
def test_what_is_normalised_says_what_is_behind_it(
    words: tuple[str, ...], demo_store: Path
) -> None:
    shown = piped(*words, store=demo_store)
    assert "us/request" in shown
    for fact in ("4.07 s", "17,483", "21,640 requests/s"):
        assert fact in shown


@pytest.mark.parametrize("format", ["markdown", "junit", "html"])
def test_every_report_for_people_scales_its_unit(format: str, demo_store: Path) -> None:
    shown = piped(*SIDES, "--format", format, store=demo_store)
    assert "us/request" in shown
    assert "ns/request" not in shown
    assert "21,640 requests/s" in shown.replace("\\", "")


def test_json_is_not_scaled(demo_store: Path) -> None:
    answer = json.loads(piped(*SIDES, "--format", "json", store=demo_store))
    assert answer["unit"] == "ns/request"
    assert answer["total"]["base"] == pytest.approx(43_714, rel=0.01)


@pytest.mark.parametrize(
    ("environment", "has_colour"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colour_is_for_terminals_that_want_it(
    environment: dict[str, str], has_colour: bool, demo_store: Path
) -> None:
    shown = on_terminal(*SIDES, store=demo_store, columns=100, environment=environment)
    assert ("\x1b[1;31mregression\x1b[0m" in shown) == has_colour


def test_colour_can_be_forced_into_a_pipe(
    demo_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b" not in piped(*SIDES, store=demo_store)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[1;31mregression\x1b[0m" in piped(*SIDES, store=demo_store)


class Rows:
    columns = ("function", "dso", "ns")

    def rows(self) -> list[tuple[object, ...]]:
        return [("x" * 200, f"/usr/lib/{'y' * 200}/libc.so.6", 123456789e0)]


def test_numbers_are_whole_and_paths_lose_their_middle_on_a_terminal() -> None:
    lines = text(Rows(), terminal(80)).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2].endswith("…/libc.so.6  123,456,789")
    assert sum(line.count("x") for line in lines) == 200


def test_nothing_is_cut_in_a_pipe() -> None:
    [*_, line] = text(Rows(), PIPE).splitlines()
    assert line.split() == ["x" * 200, f"/usr/lib/{'y' * 200}/libc.so.6", "123,456,789"]


def test_a_name_is_never_broken_in_a_call_chain() -> None:
    names = ["a" * 30, "std::pair<int, int>", "b" * 60]
    lines = flow(names, 50, separator=" > ", first="  ", rest="  ")
    assert lines == [f"  {'a' * 30} >", "  std::pair<int, int> >", f"  {'b' * 60}"]
