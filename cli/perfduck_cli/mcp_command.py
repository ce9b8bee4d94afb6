"""perfduck mcp: questions as tools for agents."""

import perfduck
from perfduck_cli.options import DEFAULT_STORE, StorePath
from perfduck_cli.serve_command import server_part


def mcp(store: StorePath = DEFAULT_STORE) -> None:
    """Answer agents over any store: Model Context Protocol on standard input and output.

    Tools: recordings, top, diff, compare, trend, sql. They read only. docs/mcp.md has the lines of
    configuration.
    """
    agents = server_part(
        "agents", where="mcp", expected="the package mcp (pip install 'perfduck[mcp]')"
    )
    agents.serve_agents(perfduck.open(store))
