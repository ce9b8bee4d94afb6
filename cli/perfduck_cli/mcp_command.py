"""perfduck mcp: questions as tools for agents."""

from importlib import import_module

import perfduck
from perfduck import PerfduckError
from perfduck_cli.options import DEFAULT_STORE, StorePath


def mcp(store: StorePath = DEFAULT_STORE) -> None:
    """Answer agents (Model Context Protocol, on standard input and output), over any store.

    Tools: recordings, top, diff, compare, sql. They read only. docs/mcp.md has the lines of
    configuration.
    """
    try:
        agents = import_module("perfduck_server.agents")
    except ModuleNotFoundError as error:
        expected = "the package mcp (pip install 'perfduck[mcp]')"
        raise PerfduckError.at(where="mcp", expected=expected, got=f"no {error.name}") from error
    agents.serve_agents(perfduck.open(store))
