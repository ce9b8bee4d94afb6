"""A line of JSON for each request: who asked what, and how long the answer took.

    {"time": "2026-11-27T02:13:05.120Z", "client": "10.0.0.7", "token": "ci", "method": "POST",
     "path": "/api/v1/recordings", "query": "label.run=1", "status": 201, "bytes": 312,
     "seconds": 0.412}

`token` is the name of a token, never its secret.
"""

import json
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from perfduck_server.metrics import ServerMetrics


class AccessLog:
    """Where the lines go."""

    def __init__(self, path: Path | None) -> None:
        """Append to a file; None: standard error. OSError where it cannot be written."""
        self._file = sys.stderr if path is None else path.open("a", buffering=1)
        self._is_failing = False

    def write(self, line: dict[str, object]) -> None:
        """One request. Where it cannot be written, as on a full disk, standard error says so once,
        and requests go on."""
        try:
            self._write(line)
            self._is_failing = False
        except OSError as error:
            if not self._is_failing:
                self._is_failing = True
                with suppress(OSError):
                    sys.stderr.write(
                        f"perfduck: lines of the access log are lost: {error.strerror}\n"
                    )
                    sys.stderr.flush()

    def _write(self, line: dict[str, object]) -> None:
        # In ASCII without control characters: paths hold what clients like, and logs are read in
        # terminals. json keeps DEL alone.
        self._file.write(json.dumps(line).replace("\x7f", "\\u007f") + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not sys.stderr:
            with suppress(OSError):
                self._file.close()


class Observed:
    """An application whose requests are logged and counted when they have been answered."""

    def __init__(self, app: "ASGIApp", log: AccessLog, metrics: "ServerMetrics") -> None:
        self._app, self._log, self._metrics = app, log, metrics

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, seen = time.perf_counter(), {"status": 0, "bytes": 0}

        async def sent(message: "Message") -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
            seen["bytes"] += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, sent)
        finally:
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.answered(scope["method"], route, seen["status"], seconds)
            self._log.write(_line(scope, seen, seconds))


def _line(scope: "Scope", seen: dict[str, int], seconds: float) -> dict[str, object]:
    principal = scope.get("state", {}).get("principal")
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    client = scope.get("client")
    return {
        "time": now,
        "client": client[0] if client else "",
        "token": principal.name if principal else "",
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode("latin-1"),
        **seen,
        "seconds": round(seconds, 4),
    }
