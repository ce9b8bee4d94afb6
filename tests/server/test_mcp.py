"""perfduck mcp, asked by the client of the protocol's own package."""

import asyncio
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from mcp import Client, StdioServerParameters
from rows import mostly_slow
from servers import Server
from typer.testing import CliRunner

import perfduck
from perfduck_cli.main import app
from perfduck_server import agents

_Returned = TypeVar("_Returned")


def ended(task: Coroutine[Any, Any, _Returned]) -> _Returned:
    """What it returns, from a thread of its own: browser tests leave a loop that runs in theirs."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, task).result()


def asked(store: str | Path, *calls: tuple[str, dict[str, Any]]) -> list[tuple[bool, str]]:
    """Whether each call failed, and what it says."""

    async def run() -> list[tuple[bool, str]]:
        words = ["-m", "perfduck", "mcp", "--store", str(store)]
        async with Client(StdioServerParameters(command=sys.executable, args=words)) as client:
            answers = [await client.call_tool(name, given) for name, given in calls]
        return [(bool(each.is_error), "".join(part.text for part in each.content))
                for each in answers]  # fmt: skip

    return ended(run())


@pytest.mark.slow
def test_tools_answer_what_the_commands_print(demo_store: Path) -> None:
    store = perfduck.open(demo_store)
    found = asked(
        demo_store,
        ("recordings", {}),
        ("top", {"selector": "native.*", "by": "subsystem", "not_comm": ["iperf3"], "limit": 5}),
        ("top", {"selector": "*", "by": "callers", "function": "nf_hook_slow"}),
        ("diff", {"base": "scenario=native", "new": "scenario=docker0-nat",
                  "where": ["workload=udp64"]}),
        ("compare", {"selector": "workload=udp64", "over": "scenario"}),
        ("sql", {"query": "select name from profile where name like $n order by 1",
                 "parameters": {"n": "native.crr.%"}}),
    )  # fmt: skip
    difference = store.diff("scenario=native", "scenario=docker0-nat", where="workload=udp64")
    assert found == [
        (False, store.profiles().to_text()),
        (False, store.top("native.*", by="subsystem", not_comm="iperf3", limit=5).to_text()),
        (False, store.calls("*", "nf_hook_slow").to_text()),
        (False, f"verdict: regression\n\n{difference.to_text()}"),
        (False, store.compare("workload=udp64", "scenario").to_text()),
        (False, "name\nnative.crr.1\nnative.crr.2\nnative.crr.3\n"),
    ]


@pytest.mark.slow
def test_it_asks_a_server_too(server: Server) -> None:
    [(failed, text)] = asked(server.url, ("recordings", {"selector": "native.crr.1"}))
    assert (failed, text) == (False, perfduck.open(server.url).profiles("native.crr.1").to_text())


@pytest.mark.slow
def test_what_is_wrong_is_a_line(demo_store: Path) -> None:
    found = asked(
        demo_store,
        ("recordings", {"selector": "nothing"}),
        ("top", {"selector": "*", "by": "callers"}),
        ("top", {"selector": "*", "by": "nonsense"}),
        ("top", {"selector": "*", "limit": 0}),
        ("sql", {"query": "delete from profile"}),
        ("sql", {"query": "select * from range(5000)"}),
        ("diff", {"base": "native.*"}),
        ("top", {"selector": "*", "limt": 3}),
        ("nothing", {}),
        ("\x1b[31mred", {}),
        ("top", {"selector": "*", "\x1b[31mred": 3}),
    )
    assert all(failed for failed, _ in found)
    assert "nothing: expected a profile name" in found[0][1]
    assert "expected a function, got none" in found[1][1]
    assert "expected one query that reads" in found[4][1]
    assert "at most 1,000 rows" in found[5][1]
    assert "top: expected selector, by, " in found[7][1]
    assert found[7][1].endswith(", got limt")
    assert found[8][1].endswith(
        "expected a tool (recordings, top, diff, compare, trend, sql), got nothing"
    )
    assert not any("\x1b" in text for _, text in found)
    assert len(perfduck.open(demo_store).names()) == 18


def test_what_is_cut_is_said() -> None:
    short = "a line\n" * 100
    assert agents.bounded(short) == short
    long = "".join(f"line {number}\n" for number in range(10_000))
    cut = agents.bounded(long)
    assert len(cut) < agents.MOST_CHARACTERS + 200
    shown, _, rest = cut.partition("\n\n[cut here: ")
    assert long.startswith(f"{shown}\n")
    assert int(rest.partition(" more lines")[0].replace(",", "")) == 10_000 - len(
        shown.splitlines()
    )


def test_every_filter_is_a_parameter(demo_store: Path) -> None:
    tools = {tool.name: tool for tool in ended(listed(demo_store))}
    assert set(tools) == {"recordings", "top", "diff", "compare", "trend", "sql"}
    filters = set(perfduck.FilterOptions.__annotations__)
    for name in ("top", "diff", "compare", "trend"):
        assert filters <= set(tools[name].input_schema["properties"])
    assert all(tool.description for tool in tools.values())


async def listed(store: Path) -> list[Any]:
    async with Client(agents.server_of(perfduck.open(store))) as client:
        return list((await client.list_tools()).tools)


@pytest.mark.slow
@pytest.mark.parametrize("store", mostly_slow(["nowhere.duckdb", "http://127.0.0.1:9"], 2))
def test_a_store_that_is_not_there_is_a_line(store: str, tmp_path: Path) -> None:
    place = store if "http" in store else tmp_path / store
    [(failed, text)] = asked(place, ("recordings", {}))
    assert failed
    assert ": expected a" in text


def test_the_help_of_the_command_names_every_tool() -> None:
    text = " ".join(CliRunner().invoke(app, ["mcp", "--help"]).output.split())
    assert f"Tools: {', '.join(tool.__name__ for tool in agents.TOOLS)}." in text
