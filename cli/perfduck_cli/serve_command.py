"""perfduck serve: the store as a service."""

import re
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from perfduck import PerfduckError, visible
from perfduck_cli import process
from perfduck_cli.options import DEFAULT_STORE, LONGEST_S, StoreFile, number, path_to_serve, whole

_ADDRESS = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<host>[^:\[\]]+)):(?P<port>\d{1,5})")
_LAST_PORT = 65_535
_MOST_MB = 1 << 24


def serve(
    store: StoreFile = DEFAULT_STORE,
    listen: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT", help="Address to listen on; port 0: any free port; [::1]:8480."
        ),
    ] = "127.0.0.1:8480",
    anonymous: Annotated[
        Literal["read"] | None,
        typer.Option(help="What is allowed without a token once there are tokens: read."),
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="Certificate chain (PEM): answer over HTTPS.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Private key of --tls-cert (PEM).")] = None,
    memory: Annotated[
        int,
        typer.Option(parser=whole(128, _MOST_MB), metavar="MB", help="Memory of the database."),
    ] = 1024,
    max_upload: Annotated[
        int,
        typer.Option(parser=whole(1, _MOST_MB), metavar="MB", help="Largest body of a push."),
    ] = 1024,
    job_memory: Annotated[
        int,
        typer.Option(
            parser=whole(256, _MOST_MB), metavar="MB", help="Memory to read one pushed recording."
        ),
    ] = 1024,
    job_timeout: Annotated[
        float,
        typer.Option(
            parser=number(1, LONGEST_S),
            metavar="SECONDS",
            help="Time to read one pushed recording.",
        ),
    ] = 300.0,
    retention: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help="What to remove when: 'branch=main keep', 'raw * 30d', 'pr=* 90d'; may be"
            " repeated, the first that fits applies.",
        ),
    ] = None,
    publish: Annotated[
        str | None,
        typer.Option(
            metavar="LAKE",
            help="Publish recordings to a lake, in the background: lake:DIRECTORY or"
            " lake:s3://BUCKET/PREFIX.",
        ),
    ] = None,
    access_log: Annotated[
        Path | None,
        typer.Option(help="File for a line of JSON for each request; default: standard error."),
    ] = None,
) -> None:
    """Serve the store over HTTP: to hosts that push, to browsers, to the command line.

    The server owns the store while it runs.
    """
    if (tls_cert is None) != (tls_key is None):
        raise PerfduckError.at(where="--tls-cert", expected="--tls-key with it", got="one of them")
    host, port = _address(listen)
    settings = server_part("settings").Settings(
        store=path_to_serve(store),
        host=host,
        port=port,
        memory_mb=memory,
        max_upload_bytes=max_upload << 20,
        job_memory_mb=job_memory,
        job_timeout_s=job_timeout,
        anonymous_read=anonymous == "read",
        tls_cert=tls_cert,
        tls_key=tls_key,
        retention=server_part("retention").rules_of(retention or ()),
        publish=publish,
        access_log=access_log,
    )
    process.return_freed_memory()
    process.leave_interrupts_to_command()
    server_part("serving").serve(settings, lambda line: typer.echo(visible(line)))


def server_part(
    name: str,
    *,
    where: str = "serve",
    expected: str = "the packages of the server (pip install 'perfduck[server]')",
) -> Any:
    """A module of the server, loaded when it is used: its packages are an extra. PerfduckError
    where they are not installed."""
    try:
        return import_module(f"perfduck_server.{name}")
    except ModuleNotFoundError as error:
        raise PerfduckError.at(where=where, expected=expected, got=f"no {error.name}") from error


def _address(text: str) -> tuple[str, int]:
    """Host and port. PerfduckError where it is no address."""
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > _LAST_PORT:
        raise PerfduckError.at(
            where="--listen", expected="HOST:PORT, as in 127.0.0.1:8480", got=text or "nothing"
        )
    return match["ipv6"] or match["host"], int(match["port"])
