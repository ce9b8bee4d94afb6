"""The questions of the command line over HTTP: GET /api/v1/top?selector=native.*&by=comm

A question is a method of the store, and a function that makes its answer text; the options of both
are the parameters of the URL (query_options.py). JSON is that of the command.
To add a question, give it a line in QUESTIONS.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, Unpack
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

import perfduck
from perfduck import FilterOptions, PerfduckError, ProfileStore
from perfduck.drawings import SandwichResult
from perfduck_server.access import require
from perfduck_server.query_options import QueryOption, given, options_of
from perfduck_server.question_route import QuestionRoute, StoreOf

_ROWS = 30  # of a ranking, unless `limit` says


@dataclass(frozen=True, slots=True)
class ServedFormat:
    """How a format is sent. `file`: the name of what is a file to keep; `has_notes`: what is to be
    said of an answer is in it, else in headers; `takes_base`: an export of it compares."""

    media_type: str
    file: str | None = None
    has_notes: bool = False
    takes_base: bool = True


SERVED = {
    "json": ServedFormat("application/json"),
    "text": ServedFormat("text/plain; charset=utf-8", has_notes=True),
    "folded": ServedFormat("text/plain; charset=utf-8"),
    "markdown": ServedFormat("text/markdown; charset=utf-8", has_notes=True),
    "csv": ServedFormat("text/csv; charset=utf-8"),
    "html": ServedFormat(
        "text/html; charset=utf-8", "perfduck.html", has_notes=True, takes_base=False
    ),
    "junit": ServedFormat("application/xml; charset=utf-8", has_notes=True),
    "pprof": ServedFormat("application/octet-stream", "perfduck.pb.gz"),
    "speedscope": ServedFormat("application/json", "perfduck.speedscope.json"),
    "firefox": ServedFormat("application/json", "perfduck.firefox.json", takes_base=False),
}


@dataclass(frozen=True)
class ApiQuestion:
    """`ask` takes the store and options, `text` its answer and options: text, or parts of a
    file."""

    ask: Callable[..., Any]
    text: Callable[..., str | Iterator[bytes]]

    @property
    def options(self) -> Mapping[str, QueryOption]:
        """All parameters of the URL."""
        return options_of(self.ask, self.text)

    def asked(self, store: ProfileStore, options: Mapping[str, Any]) -> Any:
        """The answer of the library."""
        known = options_of(self.ask)
        with _as_file({name: options[name] for name in known if name in options}) as keywords:
            return self.ask(store, **keywords)

    def written(self, answer: Any, options: Mapping[str, Any]) -> str | Iterator[bytes]:
        """The answer as text, or as parts of a file."""
        known = options_of(self.text)
        return self.text(answer, **{name: options[name] for name in known if name in options})


@contextmanager
def _as_file(options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A budget comes as the text of its file: the library reads it from one."""
    if "budget" not in options:
        yield options
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "budget"
        path.write_text(options["budget"], encoding="utf-8")
        try:
            yield options | {"budget": path}
        except PerfduckError as error:
            raise type(error)(str(error).replace(f"{folder}/", "")) from error


def _top(
    store: ProfileStore,
    selector: str,
    function: str | None = None,
    by: perfduck.Key = "function",
    limit: int = _ROWS,
    **filters: Unpack[FilterOptions],
) -> "perfduck.TopResult | perfduck.CallsResult":
    """Rank what is hot: self, total and blamed, per unit of work where the work is known."""
    if by == "callers" or by == "callees":
        if function is None:
            raise PerfduckError.at(where="function", expected=f"a function for by={by}", got="none")
        return store.calls(selector, function, side=by, limit=limit, **filters)
    if function is not None:
        expected = "by=callers or by=callees with a function"
        raise PerfduckError.at(where=function or "function", expected=expected, got=f"by={by}")
    return store.top(selector, by=by, limit=limit, **filters)


def _trend(
    store: ProfileStore,
    selector: str,
    over: str,
    by: perfduck.SeriesKey = "subsystem",
    **filters: Unpack[FilterOptions],
) -> "perfduck.TrendResult":
    """Where costs changed their level over commits (in the order of label commit_time), time or a
    label. A repository that orders commits is on the machine of the command line, not here."""
    return store.trend(selector, over, by=by, **filters)


def _rows(answer: Any, *, format: perfduck.TableFormat = "json") -> str:
    text: str = answer.render(format)
    return text


def _matrix(answer: "perfduck.CompareResult", *, format: perfduck.CompareFormat = "json") -> str:
    return answer.render(format)


def _points(answer: "perfduck.TrendResult", *, format: perfduck.TrendFormat = "json") -> str:
    return answer.render(format)


def _diff(
    answer: "perfduck.DiffResult",
    *,
    format: perfduck.DiffFormat = "json",
    by: perfduck.View | None = None,
    explain: bool = False,
) -> str:
    if explain and format != "text":
        raise PerfduckError.at(where="explain", expected="format=text", got=format)
    if explain:
        return answer.to_text(by, explain=True)
    if by is not None and format in ("json", "junit"):
        message = f"by={by}: expected text, markdown or html, {format} has every view"
        raise PerfduckError(message)
    return answer.render(format, by)


def _exported(answer: "perfduck.Export") -> Iterator[bytes]:
    return answer.parts()


def _trees(answer: "SandwichResult", *, format: Literal["json"] = "json") -> str:
    return answer.to_json()


QUESTIONS = {
    "profiles": ApiQuestion(ProfileStore.profiles, _rows),
    "top": ApiQuestion(_top, _rows),
    "calls": ApiQuestion(ProfileStore.calls, _rows),
    "diff": ApiQuestion(ProfileStore.diff, _diff),
    "compare": ApiQuestion(ProfileStore.compare, _matrix),
    "trend": ApiQuestion(_trend, _points),
    "sandwich": ApiQuestion(ProfileStore.sandwich, _trees),
    "timeline": ApiQuestion(ProfileStore.timeline, _rows),
    "export": ApiQuestion(ProfileStore.export, _exported),
}


PARAMETERS = {name for question in QUESTIONS.values() for name in question.options}


def answered(question: ApiQuestion, answer: Any, options: Mapping[str, Any]) -> Response:
    """An answer in the format of the request. A page is a file to keep: it has its own scripts,
    which the policy of this server would not let run."""
    format = options.get("format", question.options["format"].default)
    content = question.written(answer, options)
    kind = Response if isinstance(content, str) else StreamingResponse
    served = SERVED[format]
    response = kind(content, media_type=served.media_type)
    if served.file:
        response.headers["Content-Disposition"] = f"attachment; filename={served.file}"
    if not served.has_notes:
        for note in _notes(answer, has_limit="limit" in options):
            response.headers.append("Perfduck-Note", note)
    return response


def downloads(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Where the samples of a page are had for other tools: formats and addresses. Parameters that
    an export has not are left out."""
    options = QUESTIONS["export"].options
    kept = [(name, text) for name, text in pairs if name in options]
    has_base = any(name == "base" for name, _ in kept)
    formats = [
        each for each in options["format"].choices if SERVED[each].takes_base or not has_base
    ]
    return [(each, f"/api/v1/export?{urlencode(kept)}&format={each}") for each in formats]


def _notes(answer: Any, *, has_limit: bool) -> Iterable[str]:
    """What the command says on standard error beside such an answer."""
    for note in getattr(answer, "notes", ()):
        if isinstance(note, str) or note.code not in ("filter", "unnamed"):
            yield _ascii(note if isinstance(note, str) else note.text)
    left_out: str | None = getattr(answer, "left_out", None)
    if left_out and not has_limit:
        yield _ascii(left_out)


def _ascii(text: str) -> str:
    return perfduck.visible(text).encode("ascii", "backslashreplace").decode()


router = APIRouter(
    prefix="/api/v1",
    dependencies=[Depends(require("read"))],
    route_class=QuestionRoute,
    tags=["questions"],
)


def _endpoint(question: ApiQuestion) -> Callable[[Request, ProfileStore], Response]:
    def endpoint(request: Request, store: StoreOf) -> Response:
        options = given(question.options, request.query_params.multi_items())
        return answered(question, question.asked(store, options), options)

    return endpoint


_REFUSED = {"description": "A line says what was expected."}

for name, question in QUESTIONS.items():
    router.add_api_route(
        f"/{name}",
        _endpoint(question),
        name=name,
        methods=["GET"],
        description=inspect.cleandoc(question.ask.__doc__ or ""),
        response_class=Response,
        responses={
            200: {"content": {each.media_type: {} for each in SERVED.values()}},
            404: {"description": "No profile matches a selector."},
            422: _REFUSED,
        },
        openapi_extra={
            "parameters": [option.schema() for option in question.options.values()],
        },
    )
