"""SQL: an editor, the tables beside it, and the rows as a table and a chart."""

import re
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from perfduck import PerfduckError
from perfduck.user_sql import table_descriptions
from perfduck_server.access import Reader
from perfduck_server.pages import failure, page, typed
from perfduck_server.query_options import given
from perfduck_server.service import ServiceOf

# In the wheel, and in a checkout.
_PLACES = (Path(__file__).parent / "sql.md", Path(__file__).parents[2] / "docs" / "sql.md")
_EXAMPLE = re.compile(
    r"^(?P<title>[^\n`][^\n]*(?:\n[^\n]+)*)\n\n```sql\n(?P<query>.*?)^```", re.M | re.S
)

router = APIRouter(include_in_schema=False)


@router.get("/sql")
def sql(request: Request, service: ServiceOf, reader: Reader) -> HTMLResponse:
    """The page; POST /api/v1/sql answers."""
    try:
        given({}, typed(request))
    except PerfduckError as error:
        return page("no_answer.html", request, **failure(error))
    return page(
        "sql.html",
        request,
        examples=examples(),
        saved=service.queries.all() if "sql" in reader.scopes else {},
        tables=table_descriptions(),
    )


@cache
def examples() -> tuple[tuple[str, str], ...]:
    """The questions of docs/sql.md: title and query."""
    text = next(place for place in _PLACES if place.exists()).read_text(encoding="utf-8")
    return tuple(
        (example["title"].replace("\n", " ").removesuffix(":"), example["query"])
        for example in _EXAMPLE.finditer(text)
    )
