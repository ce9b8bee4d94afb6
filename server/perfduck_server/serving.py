"""Runs the application until it is stopped."""

import uvicorn

from perfduck_server.app import create_app
from perfduck_server.settings import Settings


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; requests that run are answered first."""
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, log_level="warning")
