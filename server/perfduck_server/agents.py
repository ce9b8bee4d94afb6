"""A third door: questions as tools for agents (Model Context Protocol), on standard input and
output.

What a tool answers is the text of the command, and not more than an agent can read: what is cut is
said at the end. To add a tool, write a function and put it into TOOLS.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal, Unpack, get_type_hints

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from pydantic import Field

import perfduck
from perfduck import FilterOptions, ProfileStore

MOST_CHARACTERS = 30_000  # some 10,000 tokens
MOST_SQL_ROWS = 1000
INSTRUCTIONS = """\
Recordings of perf and OProfile, with the subsystem of the kernel that each function belongs to.
A selector means profiles: a name, a glob (native.*), label=value[,label=value], or A+B. Start with
`recordings`; `diff` says what got more expensive per unit of work and whether that is noise; `top`
and `compare` rank and compare; `trend` looks at a history; `sql` reads table `hit`, which has it
all.
"""

Selector = Annotated[str, Field(description="Profiles: a name, a glob, label=value, or A+B.")]


def recordings(store: ProfileStore, selector: Selector = "*") -> str:
    """List recordings: name, samples, events, duration, work and labels."""
    return store.profiles(selector).to_text()


def top(
    store: ProfileStore,
    selector: Selector,
    by: perfduck.Key = "function",
    function: Annotated[str | None, Field(description="For callers and callees: whose.")] = None,
    limit: Annotated[int, Field(ge=1, le=500)] = 30,
    **filters: Unpack[FilterOptions],
) -> str:
    """Rank what is hot: self, total and blamed, per unit of work where the work is known."""
    if by == "callers" or by == "callees":
        if function is None:
            message = f"by {by}: expected a function, got none"
            raise perfduck.PerfduckError(message)
        return store.calls(selector, function, side=by, limit=limit, **filters).to_text()
    if function is not None:
        message = f"function {function}: expected by callers or callees, got by {by}"
        raise perfduck.PerfduckError(message)
    return store.top(selector, by=by, limit=limit, **filters).to_text()


def diff(
    store: ProfileStore,
    base: Selector,
    new: Selector,
    tree: Literal["rerooted", "path", "subsystem"] = "rerooted",
    per: Literal["work", "cpu-second", "share"] | None = None,
    paired: bool = False,
    tolerance: Annotated[str | None, Field(description="As in 5%.")] = None,
    allow_kernel_change: bool = False,
    by: Annotated[perfduck.View | None, Field(description="Show only this view.")] = None,
    explain: Annotated[bool, Field(description="Say what the words of the answer mean.")] = False,
    **filters: Unpack[FilterOptions],
) -> str:
    """What grew from the runs of `base` to those of `new` per unit of work, with the verdict:
    regression, no regression, or inconclusive."""
    result = store.diff(
        base,
        new,
        tree=tree,
        per=per,
        paired=paired,
        tolerance=tolerance,
        allow_kernel_change=allow_kernel_change,
        **filters,
    )
    return f"verdict: {result.verdict}\n\n{result.to_text(by, explain=explain)}"


def compare(
    store: ProfileStore,
    selector: Selector,
    over: Annotated[str, Field(description="The label whose values are the columns.")],
    order: Annotated[list[str] | None, Field(description="Its values in order.")] = None,
    by: perfduck.MatrixKey = "subsystem",
    **filters: Unpack[FilterOptions],
) -> str:
    """Compare more than two groups: what each step adds to which subsystem."""
    return store.compare(selector, over, order=order or (), by=by, **filters).to_text()


def trend(
    store: ProfileStore,
    selector: Selector,
    over: Annotated[str, Field(description="commit, time (of recording), or a label.")],
    by: perfduck.SeriesKey = "subsystem",
    **filters: Unpack[FilterOptions],
) -> str:
    """Where costs changed their level over commits, time or a label, what else changed there, and
    the diff of before and after."""
    return store.trend(selector, over, by=by, **filters).to_text()


def sql(
    store: ProfileStore,
    query: Annotated[str, Field(description="One SELECT of DuckDB. Table `hit` has it all.")],
    parameters: Annotated[
        dict[str, int | float | str | None] | None, Field(description="Values of $name.")
    ] = None,
    timeout: Annotated[float, Field(ge=0.001, le=60, description="Seconds.")] = 20.0,
) -> str:
    """The rows of one statement that reads, at most 1,000, as CSV. `describe hit` and `show tables`
    are read, too."""
    table = store.sql(query, parameters, timeout_s=timeout, max_rows=MOST_SQL_ROWS)
    return table.to_csv()


TOOLS: tuple[Callable[..., str], ...] = (recordings, top, diff, compare, trend, sql)


class QuestionServer(MCPServer[Any]):
    """Refuses tools and arguments that it does not have, in a visible line: MCPServer ignores such
    arguments, and repeats the name of such a tool as it is."""

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> Any:
        """The answer of a tool."""
        tools = {tool.name: tool for tool in await self.list_tools()}
        if name not in tools:
            raise ToolError(perfduck.visible(f"expected a tool ({', '.join(tools)}), got {name}"))
        parameters = tools[name].input_schema["properties"]
        if unknown := sorted(arguments.keys() - parameters.keys()):
            line = f"{name}: expected {', '.join(parameters)}, got {unknown[0]}"
            raise ToolError(perfduck.visible(line))
        return await super().call_tool(name, arguments, context)


def server_of(store: ProfileStore) -> QuestionServer:
    """A server with the tools over a store."""
    tools = [Tool.from_function(_bound(each, store), structured_output=False) for each in TOOLS]
    for tool in tools:
        tool.parameters["additionalProperties"] = False
    return QuestionServer(
        "perfduck",
        instructions=INSTRUCTIONS,
        version=perfduck.__version__,
        tools=tools,
        log_level="WARNING",
    )


def serve_agents(store: ProfileStore) -> None:
    """Answer on standard input and output until the other end closes it."""
    server_of(store).run("stdio")


def _bound(tool: Callable[..., str], store: ProfileStore) -> Callable[..., str]:
    """The tool over a store, with each filter as a parameter, and answers that are not too long."""

    @functools.wraps(tool)
    def bound(**arguments: Any) -> str:
        values = {name: value for name, value in arguments.items() if value is not None}
        try:
            return bounded(tool(store, **values))
        except perfduck.PerfduckError as error:
            raise ToolError(perfduck.visible(str(error))) from error

    hints = get_type_hints(tool, include_extras=True)
    parameters = list(inspect.signature(tool).parameters.values())[1:]
    plain = [each.replace(annotation=hints[each.name]) for each in parameters]
    if plain and plain[-1].kind is inspect.Parameter.VAR_KEYWORD:
        plain[-1:] = _filters()
    bound.__signature__ = inspect.Signature(plain, return_annotation=str)  # type: ignore[attr-defined]  # inspect reads it
    return bound


def _filters() -> list[inspect.Parameter]:
    kind = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(name, kind, default=None, annotation=annotation)
        for name, annotation in get_type_hints(FilterOptions).items()
    ]


def bounded(text: str) -> str:
    """The text, or whole lines of its beginning, and how many there are not."""
    if len(text) <= MOST_CHARACTERS:
        return text
    shown = text[:MOST_CHARACTERS].rpartition("\n")[0]
    left_out = text.count("\n", len(shown) + 1)
    return (
        f"{shown}\n\n[cut here: {left_out:,} more lines. Ask for less: a narrower selector, a"
        " filter, a lower limit, or sums in place of rows]\n"
    )
