"""Profiles of OpenTelemetry over HTTP: POST /v1development/profiles, as OTLP/HTTP says.

    exporters: otlphttp: {endpoint: http://host:8480, headers: {Authorization: Bearer pdk_...}}

A request is a recording, kept and read as one of POST /api/v1/recordings. Bodies are protobuf or
JSON, plain or gzip; answers are of the same type, and errors a google.rpc.Status.
https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

import json
import zlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from perfduck import PerfduckError, visible
from perfduck_ingest.otlp.messages import is_json, is_protobuf
from perfduck_model.errors import FULL_DISK, DiskIsFull
from perfduck_model.limits import limits
from perfduck_model.protobuf_schema import message_classes
from perfduck_server.access import AccessRefused, Principal
from perfduck_server.push_api import Pusher, spooled, typed_labels, waited
from perfduck_server.service import Service, ServiceOf
from perfduck_server.spool import PushedJob, SpoolIsGone
from perfduck_server.uploads import FileSink, Sink, UploadRefused, drain

PROFILES = "/v1development/profiles"
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_ENCODINGS = ("", "identity", "gzip")
_WAITS_S = 5.0  # half of what exporters wait
_FULL, _UNAVAILABLE = 507, 503
_RETRY_S = "30"
# Codes of google.rpc.Code for statuses of HTTP.
_CODES = {400: 3, 401: 16, 403: 7, 413: 8, 415: 3, 500: 13, 503: 14}
_Status: Any = message_classes(
    "google.rpc", {"Status": {"code": (1, "int32"), "message": (2, "string")}}
)["Status"]
_GUNZIP = 16 + zlib.MAX_WBITS
_SHORT = 256  # bytes of a request that may have no profile


class _NothingToStore(Exception):
    """A request without profiles, which is no error."""


class _OtlpRoute(APIRoute):
    """A route whose errors are those of OTLP."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except AccessRefused as error:
                await drain(request)
                return _failure(request, error.status, str(error))
            except UploadRefused as error:
                return _failure(request, error.status, str(error))
            except PerfduckError as error:
                return _failure(request, _status_of(error), str(error))
            except OSError as error:
                if error.errno not in FULL_DISK:
                    raise
                return _failure(request, _FULL, "expected room on the server's disk")

        return handled


router = APIRouter(route_class=_OtlpRoute)


# Its errors are not those of the other routes, which the description of the API says of all.
@router.post(PROFILES, include_in_schema=False)
async def push_profiles(request: Request, service: ServiceOf, pusher: Pusher) -> Response:
    """Store the profiles of a request as a recording; `label.KEY` of the URL is a label."""
    try:
        job = await _spooled(request, service, pusher)
    except _NothingToStore:
        return _answer(request)
    status = await waited(service, job, _WAITS_S)
    if status.state == "refused":
        return _failure(request, 400, status.error or "")
    if status.state == "failed":
        return _failure(request, 500, status.error or "")
    return _answer(request)


async def _spooled(request: Request, service: Service, pusher: Principal) -> PushedJob:
    try:
        labels = typed_labels(request.query_params.multi_items(), pusher)
        encoding = request.headers.get("content-encoding", "").lower()
        if _media_type(request) not in (_PROTOBUF, _JSON):
            line = f"Content-Type: expected {_PROTOBUF} or {_JSON}, got {_media_type(request)!r}"
            raise UploadRefused(415, line)
        if encoding not in _ENCODINGS:
            line = f"Content-Encoding: expected gzip or none, got {encoding!r}"
            raise UploadRefused(415, line)
    except (UploadRefused, PerfduckError):
        await drain(request)
        raise

    def described(folder: Path, sink: Sink) -> PushedJob:
        _check(_head(folder / sink.file, encoding), _media_type(request))
        return PushedJob(id=folder.stem, file=sink.file, is_unnamed=True, labels=labels)

    return await spooled(request, service, lambda folder: FileSink(folder, "recording"), described)


def _head(path: Path, encoding: str) -> bytes:
    """What a body begins with, unpacked."""
    with path.open("rb") as file:
        content = file.read(limits.head_bytes)
    if encoding != "gzip" or not content:
        return content
    try:
        return zlib.decompressobj(_GUNZIP).decompress(content, limits.head_bytes)
    except zlib.error as error:
        raise PerfduckError.at(where="body", expected="gzip", got=str(error)) from error


def _check(head: bytes, media_type: str) -> None:
    """PerfduckError for what is no message with profiles; _NothingToStore for an empty one."""
    if len(head) < _SHORT and _is_empty(head, media_type):
        raise _NothingToStore
    is_known = is_json if media_type == _JSON else is_protobuf
    if not is_known(head):
        expected = f"ExportProfilesServiceRequest in {media_type}"
        raise PerfduckError.at(where="body", expected=expected, got="something else")


def _is_empty(content: bytes, media_type: str) -> bool:
    if media_type == _PROTOBUF:
        return not content
    try:
        message = json.loads(content)
    except ValueError:
        return False
    return isinstance(message, dict) and not message.get("resourceProfiles")


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _status_of(error: PerfduckError) -> int:
    if isinstance(error, DiskIsFull):
        return _FULL
    return _UNAVAILABLE if isinstance(error, SpoolIsGone) else 400


def _answer(request: Request) -> Response:
    """ExportProfilesServiceResponse without a field: all is taken."""
    is_json_answer = _media_type(request) == _JSON
    return Response(b"{}" if is_json_answer else b"", media_type=_media_type(request))


def _failure(request: Request, status: int, line: str) -> Response:
    """google.rpc.Status. Of a full disk 503, which exporters send again, where 507 loses data."""
    status = _UNAVAILABLE if status == _FULL else status
    said = _Status(code=_CODES[status], message=visible(line))
    headers = {"Retry-After": _RETRY_S} if status == _UNAVAILABLE else {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="perfduck"'
    if _media_type(request) == _PROTOBUF:
        return Response(said.SerializeToString(), status, headers, _PROTOBUF)
    body = json.dumps({"code": said.code, "message": said.message}).encode()
    return Response(body, status, headers, _JSON)
