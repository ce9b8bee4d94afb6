"""Recordings over HTTP: POST or PUT /api/v1/recordings, the body is the file.

    curl -T run.txt.xz 'http://host:8480/api/v1/recordings?label.scenario=native&work=9&unit=packet'
    curl -F recording=@run.data -F kallsyms=@kallsyms -F attach.iptables=@rules.txt http://...

The body goes to the spool (uploads.py, spool.py), a worker process reads it (worker.py), and its
rows are committed as those of `perfduck ingest` (jobs.py).
"""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path as FilePath
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import StreamingResponse

from perfduck import PerfduckError
from perfduck.recordings import labels as checked_labels
from perfduck.recordings import work as checked_work
from perfduck_model.limits import limits
from perfduck_server.access import Principal, require
from perfduck_server.query_options import QueryOption, given, only_declared
from perfduck_server.service import Service, ServiceOf
from perfduck_server.spool import WORK, JobStatus, PushedJob
from perfduck_server.uploads import Sink, UploadRefused, drain, receive, sink_of
from perfduck_store.remote.merging import STORE_TYPE

RECORDINGS = "/api/v1/recordings"
_LABEL = "label."
_OF_FILES = (
    "work",
    "unit",
    "lenient",
    "event",
)  # options that a body that is a store has applied already
_WAITS_S, _MOST_WAIT_S = 5.0, 60.0
_STATUS = {"stored": 201, "unchanged": 200, "refused": 422, "failed": 500}
OPTIONS = {
    option.name: option
    for option in (
        QueryOption("name", "text", default=None),
        QueryOption("work", "number", default=None, most=limits.most_work),
        QueryOption("unit", "text", default=None),
        QueryOption("kernel", "text", default=None),
        QueryOption("force", "flag", default=False),
        QueryOption("lenient", "flag", default=False),
        QueryOption("event", "text", default=None),
        QueryOption("wait", "number", default=_WAITS_S, most=int(_MOST_WAIT_S)),
    )
}
_FILE = {"schema": {"type": "string", "format": "binary"}}
_DESCRIPTION = {
    "parameters": [option.schema() for option in OPTIONS.values()],
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": _FILE,
            STORE_TYPE: _FILE,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["recording"],
                    "properties": {
                        name: {"type": "string", "format": "binary"}
                        for name in ("recording", "kallsyms", "work", "attach.iptables")
                    },
                }
            },
        },
    },
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "This recording is stored already; what was said of it is taken."},
    201: {"description": "Stored."},
    202: {"description": "Accepted: it is read later, also after a restart. Ask for the job."},
    413: {"description": "Larger than the server takes."},
    422: {"description": "No recording, or refused; the line that `perfduck ingest` prints."},
    507: {"description": "The server's disk is full."},
}

router = APIRouter()
Pusher = Annotated[Principal, Depends(require("push"))]
ProfileId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="16 hex digits.")]


@router.post(RECORDINGS, status_code=201, responses=RESPONSES, openapi_extra=_DESCRIPTION)
async def push(request: Request, service: ServiceOf, pusher: Pusher) -> Response:
    """Store a recording: perf.data, perf script text, OProfile; plain or packed. `label.KEY` is a
    label; `wait` how many seconds to wait for the outcome before 202."""
    return await _pushed(request, service, pusher, None)


@router.put(RECORDINGS, include_in_schema=False)
async def put(request: Request, service: ServiceOf, pusher: Pusher) -> Response:
    """As POST: what curl -T sends."""
    return await _pushed(request, service, pusher, None)


@router.put(f"{RECORDINGS}/{{file}}", include_in_schema=False)
async def put_file(request: Request, service: ServiceOf, pusher: Pusher, file: str) -> Response:
    """As POST, with the file's name: what curl -T sends to a URL that ends in a slash."""
    return await _pushed(request, service, pusher, file)


@router.get(
    "/api/v1/jobs/{job}",
    dependencies=[Depends(require("push")), Depends(only_declared)],
    responses={202: {"description": "Not done yet."}, 404: {"description": "No such job."}},
)
def job(service: ServiceOf, job: Annotated[str, Path(pattern="^[0-9a-f]{28}$")]) -> Response:
    """What came of a push; outcomes are kept for a week."""
    status = service.jobs.status(job)
    if status is None:
        return refusal(404, f"{job}: expected a job of the last week, got none")
    code = 202 if status.state in ("queued", "running") else 200
    return _answer(code, status)


@router.get(
    f"{RECORDINGS}/{{profile}}/raw",
    dependencies=[Depends(require("read")), Depends(only_declared)],
    response_class=StreamingResponse,
    responses={404: {"description": "No recording is kept of this profile."}},
)
def raw(service: ServiceOf, profile: ProfileId) -> Response:
    """The recording as it was pushed."""
    name = service.raw.name(profile)
    if name is None:
        return refusal(404, f"id:{profile}: expected a recording that is kept, got none")
    quoted = name.encode("ascii", "replace").decode().replace('"', "_").replace("\\", "_")
    return StreamingResponse(
        service.raw.parts(profile),
        media_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{quoted}"'},
    )


async def _pushed(
    request: Request, service: Service, pusher: Principal, file: str | None
) -> Response:
    content_type = request.headers.get("content-type", "")
    try:
        typed, labels = _typed(request.query_params.multi_items(), pusher)
    except PerfduckError:
        await drain(request)
        raise

    def described(folder: FilePath, sink: Sink) -> PushedJob:
        job = _job(folder.stem, sink, typed, labels, content_type == STORE_TYPE)
        return msgspec.structs.replace(job, is_admin="admin" in pusher.scopes)

    try:
        job = await spooled(
            request, service, lambda folder: sink_of(content_type, folder, file), described
        )
    except UploadRefused as error:
        return refusal(error.status, str(error), {"Connection": "close"})
    status = await waited(service, job, typed.get("wait", _WAITS_S))
    return _answer(_STATUS.get(status.state, 202), status)


async def spooled(
    request: Request,
    service: Service,
    sink_in: Callable[[FilePath], Sink],
    described: Callable[[FilePath, Sink], PushedJob],
) -> PushedJob:
    """Take the body of a request: it goes to `sink_in` its folder, and `described` says what is
    done with it then. UploadRefused and PerfduckError, with nothing left of it."""
    folder = service.spool.new()
    length = request.headers.get("content-length", "")
    most = service.settings.max_upload_bytes
    try:
        sink = sink_in(folder)
        size = int(length) if length.isdecimal() else None
        await receive(request.stream(), size, sink, folder, most)
        job = described(folder, sink)
        await asyncio.to_thread(service.spool.accept, folder, job)
    except (UploadRefused, PerfduckError):
        service.spool.drop(folder)
        await drain(request)
        raise
    except BaseException:
        service.spool.drop(folder)
        raise
    return job


async def waited(service: Service, job: PushedJob, seconds: float) -> JobStatus:
    """How far an accepted push is after some seconds at most."""
    done = asyncio.wrap_future(service.jobs.submit(job))
    await asyncio.wait([done], timeout=seconds)
    if done.done():
        return done.result()
    status = await asyncio.to_thread(service.jobs.status, job.id)
    return status or JobStatus(job=job.id, state="queued")


def _typed(
    parameters: Iterable[tuple[str, str]], pusher: Principal
) -> tuple[dict[str, Any], dict[str, str]]:
    """The options and labels of a request. PerfduckError for what is unknown or wrong, and for a
    label that the token has otherwise."""
    pairs = list(parameters)
    _refuse_mistyped_labels(name for name, _ in pairs)
    typed = given(OPTIONS, [pair for pair in pairs if not pair[0].startswith(_LABEL)])
    checked_work(typed.get("work"), typed.get("unit"))
    return typed, _labels(pairs, pusher)


def typed_labels(parameters: Iterable[tuple[str, str]], pusher: Principal) -> dict[str, str]:
    """The labels of a request that takes no options. PerfduckError as for one that does."""
    pairs = list(parameters)
    given({}, [pair for pair in pairs if not pair[0].startswith(_LABEL)])
    return _labels(pairs, pusher)


def _labels(pairs: list[tuple[str, str]], pusher: Principal) -> dict[str, str]:
    labels = checked_labels([_label(key, text) for key, text in pairs if key.startswith(_LABEL)])
    for key, value in pusher.labels.items():
        if labels.get(key, value) != value:
            where = f"label.{key}={labels[key]}"
            raise PerfduckError.at(where, expected=f"{value}, as the token says", got=labels[key])
    return labels | pusher.labels


def _refuse_mistyped_labels(names: Iterable[str]) -> None:
    """PerfduckError for `?lable.scenario=`, which is no option with another name."""
    for name in names:
        kind, dot, key = name.partition(".")
        if dot and f"{kind}." != _LABEL:
            message = f"unknown parameter {name}; labels are label.KEY: did you mean {_LABEL}{key}?"
            raise PerfduckError(message)


def _label(key: str, text: str) -> str:
    """KEY=VALUE; `?label.scenario` without a value is a mistake, not a label that is empty."""
    if not text:
        raise PerfduckError.at(where=key, expected="a value", got="none")
    return f"{key.removeprefix(_LABEL)}={text}"


def _job(
    key: str, sink: Sink, typed: dict[str, Any], labels: dict[str, str], is_store: bool
) -> PushedJob:
    said = {name: typed[name] for name in typed if name != "wait"}
    if is_store and (wrong := next((each for each in _OF_FILES if each in said), None)):
        raise PerfduckError.at(wrong, expected="it in the pushed store", got="it beside that")
    if WORK in sink.parts and "work" in said:
        raise PerfduckError.at(where="work", expected="it once", got="a report and a number")
    return PushedJob(
        id=key,
        file=sink.file,
        is_store=is_store,
        is_unnamed=not is_store and sink.file == "recording",
        labels=labels,
        parts=sink.parts,
        **said,
    )


def _answer(code: int, status: JobStatus) -> Response:
    headers = {"Location": f"/api/v1/jobs/{status.job}"} if code == 202 else {}
    return _json(code, msgspec.to_builtins(status), headers)


def refusal(code: int, line: str, headers: dict[str, str] | None = None) -> Response:
    """One line that says what was expected."""
    return _json(code, {"error": line}, headers or {})


def _json(code: int, content: object, headers: dict[str, str]) -> Response:
    """With a line end: it is read in terminals."""
    body = msgspec.json.encode(content) + b"\n"
    return Response(body, code, headers, "application/json")
