"""Costs over commits, time or a label, each change with its diff a click away."""

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from perfduck import PerfduckError, TrendResult
from perfduck_report.trend_html import trend_values
from perfduck_server.access import require
from perfduck_server.pages import Typed, failure, fields, page, query, rows_of, typed, without
from perfduck_server.query_options import given
from perfduck_server.question_route import QuestionRoute, StoreOf
from perfduck_server.read_api import QUESTIONS

_TREND = QUESTIONS["trend"]
_OPTIONS = {name: option for name, option in _TREND.options.items() if name != "format"}
_OWN = ("selector", "over", "by")
_FORMATS = ("html", "json", "csv", "markdown", "text")

router = APIRouter(
    include_in_schema=False, dependencies=[Depends(require("read"))], route_class=QuestionRoute
)


@router.get("/trend")
def trend(request: Request, store: StoreOf) -> HTMLResponse:
    """The history of some recordings."""
    pairs = typed(request)
    labels = {key for row in rows_of(store.profiles()) for key in row["labels"]}
    values: dict[str, Any] = {
        "fields": fields(_OPTIONS, pairs, *_OWN),
        "asked": {name: dict(pairs).get(name, "") for name in _OWN},
        "keys": _OPTIONS["by"].choices,
        "default": _OPTIONS["by"].default,
        "labels": sorted({"time", *labels}),
    }
    if not pairs:
        return page("trend_live.html", request, **values)
    try:
        answer: TrendResult = _TREND.asked(store, given(_OPTIONS, pairs))
    except PerfduckError as error:
        return page("trend_live.html", request, **values, **failure(error))
    values |= trend_values(answer.data)
    values |= {
        "layout": "trend_live.html",
        "links": _links(answer, pairs),
        "downloads": [(each, f"/api/v1/trend?{query(pairs)}&format={each}") for each in _FORMATS],
    }
    return page("trend.html", request, **values)


def _links(answer: TrendResult, pairs: Typed) -> list[list[str]]:
    """The diff of each change of each group."""
    filters = without(pairs, *_OWN, "where")
    return [
        [
            f"/diff?{query([('base', change.base), ('new', change.new), *where, *filters])}"
            for change in group.changes
            for where in [[("where", each) for each in change.where]]
        ]
        for group in answer.data.groups
    ]
