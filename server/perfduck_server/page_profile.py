"""One recording: its flame graph, what is hot, when, and all that is said of it."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from perfduck import By, PerfduckError, ProfileStore
from perfduck.details import RecordingDetails
from perfduck_diff.top import RankedRows
from perfduck_report.html import side_values
from perfduck_report.numbers import scale
from perfduck_report.top import in_unit
from perfduck_server.access import require
from perfduck_server.pages import failure, fields, page, pairs_of, query, typed, without
from perfduck_server.query_options import given, options_of
from perfduck_server.question_route import QuestionRoute, StoreOf
from perfduck_server.read_api import downloads
from perfduck_store.selector import quoted

_OPTIONS = {
    name: option for name, option in options_of(ProfileStore.flame).items() if name != "selector"
}
_ID = re.compile("[0-9a-f]{16}", re.IGNORECASE)
_KEYS: dict[By, str] = {"comm": "Programs", "cgroup": "Cgroups", "dso": "Binaries"}
_MOST = 100  # rows of each
_COLUMNS, _ROWS = 600, 50  # of the heat map: a column is a second, or more of a long recording

router = APIRouter(
    include_in_schema=False, dependencies=[Depends(require("read"))], route_class=QuestionRoute
)


@router.get("/profiles/{id}")
def profile(id: str, request: Request, store: StoreOf) -> Response:
    """The recording with this id, 16 hex digits; a name leads to the page of its id."""
    pairs = typed(request)
    if not _ID.fullmatch(id):
        return _named(id, request, store)
    selector = f"id:{id}"
    values: dict[str, Any] = {"fields": fields(_OPTIONS, pairs), "selector": selector}
    try:
        details = store.details(selector)
    except PerfduckError as error:
        return page("no_answer.html", request, **values, **failure(error))
    values |= {"details": details, "times": without(pairs, "skip", "until")}
    values |= {"downloads": downloads([("selector", selector), *without(pairs, "tree")])}
    try:
        asked = given(_OPTIONS, pairs)
        narrowed = f"{request.url.path}?" + "".join(f"{query([pair])}&" for pair in pairs)
        answer = _drawn(store, details, asked, narrowed) | {"layout": "profile_live.html"}
        return page("side.html", request, **values, **answer)
    except PerfduckError as error:
        return page("profile_live.html", request, **values, **failure(error))


def _named(name: str, request: Request, store: ProfileStore) -> Response:
    try:
        selector = store.details(quoted(name)).selector
    except PerfduckError as error:
        return page("no_answer.html", request, **failure(error))
    target = f"/profiles/{selector.removeprefix('id:')}"
    return RedirectResponse(f"{target}?{request.url.query}".removesuffix("?"), 303)


def _drawn(
    store: ProfileStore, details: RecordingDetails, asked: Mapping[str, Any], narrowed: str
) -> dict[str, Any]:
    selector = details.selector
    drawing = store.flame(selector, **asked)
    filters = {name: value for name, value in asked.items() if name != "tree"}
    tables = {
        words: _table(key, store.ranking(selector, by=key, limit=_MOST, **filters))
        for key, words in _KEYS.items()
    }
    notes = [note.text for note in drawing.notes]
    shown = side_values(
        details.facts.name, drawing.profiles, drawing.flame, drawing.heat, notes, narrowed
    )
    return {
        **shown,
        "tables": {words: table for words, table in tables.items() if table},
        "sandwich": _sandwich(selector, asked),
        "heat_map": _heat_map(store, details, filters),
    }


def _table(key: By, ranking: RankedRows) -> dict[str, Any] | None:
    """The rows in the unit of the flame graph; None where the recording does not say the key."""
    if ranking.rows[ranking.rows.columns[0]].to_list() in ([], ["[none]"]):
        return None
    by = scale(ranking.unit, ranking.total)
    return {
        "key": key,
        "rows": in_unit(ranking.rows, by),
        "unit": by.unit,
        "row_count": ranking.row_count,
    }


def _sandwich(selector: str, asked: Mapping[str, Any]) -> str:
    """Where a function of the same samples is asked for, up to its name."""
    kept = {name: value for name, value in asked.items() if name != "tree"}
    return f"/api/v1/sandwich?{query(pairs_of({'selector': selector} | kept))}"


def _heat_map(
    store: ProfileStore, details: RecordingDetails, filters: Mapping[str, Any]
) -> str | None:
    """The samples of each cell as JSON; None where the samples have no times, or the recording no
    length."""
    length_s = details.facts.duration_s or 1.0
    if not math.isfinite(length_s):
        return None
    column_s = -(-length_s // _COLUMNS) or 1.0
    bucket_s = column_s / _ROWS
    hits = store.timeline(details.selector, bucket=bucket_s, **filters).frame
    if hits.is_empty():
        return None
    cells = [
        [round(start / bucket_s), count]
        for start, count in hits.select("start_s", "hits").iter_rows()
    ]
    span = {name: filters.get(name) for name in ("skip", "until")}
    text = json.dumps({"bucket_s": bucket_s, "rows": _ROWS, "cells": cells} | span)
    return text.replace("<", r"\u003c")
