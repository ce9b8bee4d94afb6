"""Runs the application until it is stopped."""

import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import msgspec
import uvicorn

import perfduck
from perfduck_server.access_log import AccessLog, Observed
from perfduck_server.app import create_app
from perfduck_server.service import Service
from perfduck_server.settings import Settings, is_unspecified
from perfduck_server.spool import write_whole
from perfduck_server.tokens import TokenFile
from perfduck_store.serving import ServerAddress, address_file

_GRACE_S = 20  # for requests that run when the server is stopped
_PENDING = 128  # connections that wait to be accepted


def serve(settings: Settings, say: Callable[[str], object]) -> None:
    """Serve until SIGINT or SIGTERM; requests that run are answered first. `say` takes a line as
    soon as requests are accepted. PerfduckError where the address or the store cannot be had, and
    when DuckDB takes nothing more: a new process opens the store again."""
    logging.basicConfig(level=logging.INFO, format="perfduck: %(message)s")
    with listening(settings.host, settings.port) as listener:
        _check_access(settings)
        log = AccessLog(settings.access_log)
        service = Service(settings)
        try:
            _check_tokens(service)
            server = _server(settings, service, log)
            url = f"{settings.scheme}://{_reachable(settings.host, listener.getsockname()[1])}"
            with _announced(settings.store, url):
                for line in _welcome(settings, service, url):
                    say(line)
                server.run(sockets=[listener])
            _check_store(service)
        finally:
            service.close()
            log.close()


class _Server(uvicorn.Server):
    """Stops also when DuckDB has given the store up."""

    def __init__(self, config: uvicorn.Config, invalidated: Event) -> None:
        super().__init__(config)
        self._invalidated = invalidated

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop; asked ten times a second."""
        return await super().on_tick(counter) or self._invalidated.is_set()


def _check_store(service: Service) -> None:
    if service.held.shared.invalidated.is_set():
        raise perfduck.PerfduckError.at(
            service.settings.store,
            expected="a store that can be written (start the server again)",
            got="one that DuckDB has invalidated",
        )


def _check_access(settings: Settings) -> None:
    """PerfduckError where others can reach the server and nobody has a token."""
    if settings.is_loopback or TokenFile(settings.state_folder).all():
        return
    add = f"perfduck token add NAME --scope push,read --store {settings.store}"
    raise perfduck.PerfduckError.at(
        where=f"--listen {shown_address(settings.host, settings.port)}",
        expected=f"tokens for an address that others can reach ({add})",
        got="none",
    )


def _check_tokens(service: Service) -> None:
    """PerfduckError where the store was served with tokens, and they are gone."""
    if service.is_open() or service.tokens.is_there:
        return
    store = service.settings.store
    add = f"perfduck token add NAME --scope push,read --store {store}"
    expected = f"tokens, as it was served with them before ({add})"
    raise perfduck.PerfduckError.at(store, expected=expected, got="none")


def _server(settings: Settings, service: Service, log: AccessLog) -> uvicorn.Server:
    """The HTTP server, which ends when it is asked to. PerfduckError for what is no certificate."""
    app = create_app(service)
    config = uvicorn.Config(
        Observed(app, log, app.state.metrics),
        log_level="warning",
        access_log=False,
        server_header=False,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        timeout_graceful_shutdown=_GRACE_S,
    )
    try:
        config.load()
    except OSError as error:
        raise perfduck.PerfduckError.at(
            where=f"--tls-cert {settings.tls_cert} --tls-key {settings.tls_key}",
            expected="a certificate and its key (PEM)",
            got=(error.strerror or str(error)).lower(),
        ) from error
    server = _Server(config, service.held.shared.invalidated)
    for number in (signal.SIGINT, signal.SIGTERM):
        # Before uvicorn listens for it, and after: it raises a signal again when it has stopped.
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    return server


def listening(host: str, port: int) -> socket.socket:
    """A socket that accepts connections. PerfduckError where the address is not to be had."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, *_, address = addresses[0]
        listener = socket.create_server(address[:2], family=family, backlog=_PENDING)
        # asyncio sets it on sockets whose protocol is TCP by number, which create_server leaves 0.
        # Without it the body of an answer waits for the client's delayed ACK of its head: 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        number = error.errno or 0  # below 0: of a name that has no address
        reason = os.strerror(number) if number > 0 else error.strerror or str(error)
        raise perfduck.PerfduckError.at(
            where=f"--listen {shown_address(host, port)}",
            expected="a free address of this machine",
            got=reason.lower(),
        ) from error
    return listener


def shown_address(host: str, port: int) -> str:
    """HOST:PORT; of IPv6 [HOST]:PORT."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reachable(host: str, port: int) -> str:
    """HOST:PORT that others can ask; of all addresses of this machine the one that it has in the
    network, by which packets to other networks leave."""
    if not is_unspecified(host):
        return shown_address(host, port)
    family, far = (socket.AF_INET6, "2001:db8::1") if ":" in host else (socket.AF_INET, "192.0.2.1")
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))  # of UDP: nothing is sent
            return shown_address(str(probe.getsockname()[0]), port)
    except OSError:  # no network
        return shown_address("::1" if ":" in host else "127.0.0.1", port)


@contextmanager
def _announced(store: Path, url: str) -> Iterator[None]:
    """The address is in a file for as long as the block runs."""
    file = address_file(store)
    write_whole(file, msgspec.json.encode(ServerAddress(os.getpid(), url)))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _welcome(settings: Settings, service: Service, url: str) -> list[str]:
    """The address, what is served, how to push, and who may."""
    count = len(service.store.names())
    header = " -H 'Authorization: Bearer TOKEN'" if service.tokens.is_there else ""
    return [
        f"{url} serves {settings.store} ({count} profile{'' if count == 1 else 's'})",
        f"push: curl -T run.txt.xz{header} '{url}/api/v1/recordings?label.scenario=native'",
        *_other_addresses(settings.host),
        _who(settings, service),
    ]


def _other_addresses(host: str) -> list[str]:
    """That other addresses lead to the server, too."""
    if not is_unspecified(host):
        return []
    return [f"listens on all addresses of {socket.gethostname()} ({host})"]


def _who(settings: Settings, service: Service) -> str:
    if service.is_open():
        return "open to all programs of this machine: there are no tokens (perfduck token add)"
    usable = [each.name for each in service.tokens.all() if not each.is_expired]
    read = "; whoever asks may read" if settings.anonymous_read else ""
    return f"tokens: {', '.join(usable) or 'none'}{read}"
