"""More than two groups of runs side by side."""

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

import perfduck
from perfduck import PerfduckError, ProfileStore
from perfduck_diff.engine.dimensions import DIMENSIONS
from perfduck_report import readable
from perfduck_report.compare import matrix_rows, run_rows
from perfduck_server.access import require
from perfduck_server.pages import (
    Typed,
    failure,
    fields,
    page,
    query,
    rows_of,
    typed,
    without,
)
from perfduck_server.query_options import given, options_of
from perfduck_server.question_route import QuestionRoute, StoreOf
from perfduck_store.selector import quoted

_OPTIONS = options_of(ProfileStore.compare)
_FORMATS = ("json", "markdown", "text")

router = APIRouter(
    include_in_schema=False, dependencies=[Depends(require("read"))], route_class=QuestionRoute
)


@router.get("/compare")
def compare(request: Request, store: StoreOf) -> HTMLResponse:
    """The groups that a label makes of the recordings."""
    pairs = typed(request)
    values: dict[str, Any] = {
        "fields": fields(_OPTIONS, pairs, "selector", "over", "order", "by"),
        "keys": _OPTIONS["by"].choices,
        "asked": {name: dict(pairs).get(name, "") for name in ("selector", "over", "order", "by")},
        "labels": sorted({key for row in rows_of(store.profiles()) for key in row["labels"]}),
    }
    if not pairs:
        return page("compare.html", request, **values)
    try:
        comparison = store.compare(**given(_OPTIONS, pairs))
    except PerfduckError as error:
        return page("compare.html", request, **values, **failure(error))
    downloads = [(each, f"/api/v1/compare?{query(pairs)}&format={each}") for each in _FORMATS]
    return page(
        "compare.html",
        request,
        **values,
        **_shown(comparison),
        steps=[_diff(pairs, step.base, step.new) for step in comparison.data.steps],
        downloads=downloads,
    )


def _diff(pairs: Typed, base: str, new: str) -> Typed:
    """What a diff of two of the groups is asked with."""
    values = dict(pairs)
    sides = [
        (side, f"{quoted(values['over'])}={quoted(group)}")
        for side, group in (("base", base), ("new", new))
    ]
    return [
        *sides,
        ("where", values["selector"]),
        *without(pairs, "selector", "over", "order", "by"),
    ]


def _shown(comparison: perfduck.CompareResult) -> dict[str, Any]:
    matrix = readable.matrix(comparison.data)
    return {
        "matrix": matrix,
        "meaning": DIMENSIONS[matrix.by].meaning,
        "rows": matrix_rows(matrix),
        "runs": run_rows(matrix),
    }
