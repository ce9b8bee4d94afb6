"""A server within the test's process, for tests that need many of them."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn

from perfduck_server.app import create_app
from perfduck_server.service import Service
from perfduck_server.settings import Settings


@contextmanager
def served(store: Path, **settings: Any) -> Iterator[str]:
    """The URL of a server of the store, with these Settings, for as long as the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        service = Service(Settings(store=store, **settings))
        config = uvicorn.Config(create_app(service), log_level="warning", lifespan="on")
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
            service.close()
