"""How a page is made: templates of the report, with the header, the forms and the error line of a
server around them. The pages themselves are in page_*.py, a route and a template each.

The policy of the server allows no style and no script within a page: both are files (static/), and
where a bar is, is an attribute that pages.js reads.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import PackageLoader
from markupsafe import Markup

import perfduck
from perfduck_report import html, numbers
from perfduck_report.names import visible
from perfduck_report.tables import dicts
from perfduck_server.query_options import QueryOption, in_url
from perfduck_server.read_api import PARAMETERS
from perfduck_server.service import service_of
from perfduck_server.static_files import address

if TYPE_CHECKING:
    from jinja2 import Environment

Typed = list[tuple[str, str]]


@cache
def _environment() -> "Environment":
    templates = html.environment(_place, PackageLoader("perfduck_server"))
    templates.globals.update(static=address, version=perfduck.__version__)
    templates.filters.update(
        option_words=_option_words,
        visible=visible,
        seconds=numbers.seconds,
        cell=numbers.cell,
        many=numbers.many,
        query=query,
    )
    return templates


def _option_words(line: str) -> str:
    """A note of an answer, with options as the forms name them."""
    return in_url(line, PARAMETERS, gap=" ")


def _place(declarations: str) -> Markup:
    return Markup('data-place="{}"').format(declarations)


def query(pairs: Iterable[tuple[str, str]]) -> str:
    """Parameters as they are behind the ? of an address."""
    return urlencode(list(pairs))


def typed(request: Request) -> Typed:
    """The parameters of the request; a form sends its empty fields as well."""
    return [(name, text) for name, text in request.query_params.multi_items() if text != ""]


def pairs_of(options: Mapping[str, Any]) -> Typed:
    """Options as they are typed into an address."""
    return [
        (name, str(text).lower() if isinstance(text, bool) else str(text))
        for name, value in options.items()
        for text in (value if isinstance(value, list) else [value])
    ]


def without(pairs: Typed, *names: str) -> Typed:
    """The parameters but those of these names."""
    return [(name, text) for name, text in pairs if name not in names]


def page(template: str, request: Request, *, status: int = 200, **values: Any) -> HTMLResponse:
    """The page of a template, for a request whose reader is known. `values` are what it shows;
    texts of recordings are escaped."""
    service = service_of(request)
    common = {
        "path": request.url.path,
        "server": request.url.netloc,
        "base_url": f"{request.url.scheme}://{request.url.netloc}",
        "store": service.settings.store.name,
        "reader": request.state.principal,
        "has_tokens": service.tokens.is_there,
        "typed": typed(request),
        "error": "",
    }
    return HTMLResponse(rendered(template, common | values), status)


def rendered(template: str, values: Mapping[str, Any]) -> str:
    """The text of a template; texts among the values are escaped."""
    return _environment().get_template(template).render(values)


def failure(error: perfduck.PerfduckError) -> dict[str, Any]:
    """What a page shows in place of an answer: the line of the API."""
    status = 404 if isinstance(error, perfduck.NoProfileError) else 422
    return {"status": status, "error": in_url(visible(str(error)), PARAMETERS)}


def rows_of(table: perfduck.Table) -> list[dict[str, Any]]:
    """The rows of a table, by the names of its columns."""
    return dicts(table.rows)


def fields(options: Mapping[str, QueryOption], pairs: Typed, *hidden: str) -> list[dict[str, Any]]:
    """The options of a form, with what was typed of each; those in `hidden` have fields of their
    own."""
    return [
        {"option": option, "values": [text for name, text in pairs if name == option.name]}
        for option in options.values()
        if option.name not in hidden
    ]
