"""A connection to a perfduck server that is kept between requests, directly or through a proxy."""

import select
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.client import (
    HTTPS_PORT,
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
)
from threading import Lock
from typing import IO, NamedTuple, TypeVar, cast

import msgspec

from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits
from perfduck_store.remote.address import Address
from perfduck_store.remote.proxies import Proxy, proxy_of
from perfduck_store.remote.services import BUSY, PROTOCOL, PROTOCOL_HEADER
from perfduck_store.waiting import Wait

_T = TypeVar("_T")
_CONNECT_S = 10.0
_READ_BYTES = 1 << 20
_MOST_ERROR_BYTES = 1 << 20
_MOST_RETRY_S = 10.0
_NO_ROUTE = ": not found"  # what a server says that has nothing at the path
# What a reverse proxy answers while the server behind it starts again or is overloaded.
_OF_PROXIES = (
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
_MOST_HEADS = 10  # "100 Continue" and the like before an answer
# A host that is gone says nothing: the kernel notices after 10 + 4 * 5 s.
_KEEP_ALIVE = ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 4))


class ConnectionFailed(PerfduckError):
    """There is no server, or no longer: to ask again later may help."""


class NotAllowed(PerfduckError):
    """The token has not the scope for what was asked."""


class HttpAnswer(NamedTuple):
    """What a server has answered."""

    status: int
    body: bytes
    retry_after_s: float | None = None


class _Response(HTTPResponse):
    """An answer; http.client reads "100 Continue" without end, and no timeout ends that."""

    heads = 0

    def _read_status(self) -> tuple[str, int, str]:
        self.heads += 1
        if self.heads > _MOST_HEADS:
            message = "no end of 100 Continue"
            raise HTTPException(message)
        # Types of it do not have this method.
        return cast(tuple[str, int, str], super()._read_status())  # type: ignore[misc]


class Connection:
    """Asks one server, one request after the other. Another thread may `abort` it."""

    def __init__(self, address: Address, token: str | None) -> None:
        """Connect at the first request. PerfduckError for a proxy that is none."""
        self.address = address
        self._proxy = proxy_of(address)
        # A proxy gets the whole URL; a tunnel, which is made for TLS, leads to the server itself.
        has_tunnel = self._proxy is None or address.is_secure
        self._prefix = address.path if has_tunnel else address.url
        self._token = token
        self._http: HTTPConnection | None = None
        self._aborted: str | None = None
        self._lock = Lock()

    def ask(
        self,
        verb: str,
        path: str,
        body: bytes | IO[bytes] = b"",
        headers: dict[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> HttpAnswer:
        """The answer. ConnectionFailed where for `timeout_s` no byte of it comes
        (`limits.most_answer_s` unless said), and where a proxy has no answer of the server;
        PerfduckError for one of no perfduck server, or of another version."""
        timeout_s = limits.most_answer_s if timeout_s is None else timeout_s
        with self.asked(verb, path, body, headers, timeout_s=timeout_s) as response:
            try:
                return HttpAnswer(response.status, self._body(response), _retry_after(response))
            except (OSError, HTTPException) as error:
                raise self._failure(error, timeout_s) from error
            except BaseException:  # Ctrl-C: what comes later would be taken for the next answer
                self.close()
                raise

    def download(self, path: str, to: IO[bytes]) -> HttpAnswer:
        """Write the body of an answer to a file; that of an error is in the answer."""
        timeout_s = limits.most_answer_s
        with self.asked("GET", path, timeout_s=timeout_s) as response:
            try:
                if response.status != HTTPStatus.OK:
                    return HttpAnswer(response.status, self._body(response))
                while part := response.read(_READ_BYTES):
                    to.write(part)
            except (OSError, HTTPException) as error:
                raise self._failure(error, timeout_s) from error
            return HttpAnswer(response.status, b"")

    def _body(self, response: HTTPResponse) -> bytes:
        """The body, as long as an answer may be. Raises PerfduckError for a longer one."""
        is_error = response.status != HTTPStatus.OK
        most = _MOST_ERROR_BYTES if is_error else limits.most_answer_bytes
        parts, rest = [], most + 1
        while rest and (part := response.read(min(rest, _READ_BYTES))):
            parts.append(part)
            rest -= len(part)
        if not rest:
            self.close()
            raise PerfduckError.at(
                self.address, expected=f"an answer of at most {most >> 20:,} MB", got="more"
            )
        body = b"".join(parts)
        if response.length:  # which read() of a part does not say
            raise IncompleteRead(body, response.length)
        return body

    def asked(
        self,
        verb: str,
        path: str,
        body: bytes | IO[bytes] = b"",
        headers: dict[str, str] | None = None,
        *,
        timeout_s: float,
    ) -> HTTPResponse:
        """The head of the answer, whose body is to be read. Errors as `ask`."""
        http = self._connected()
        sent_headers = {**self._identification(), "User-Agent": "perfduck", **(headers or {})}
        try:
            http.sock.settimeout(timeout_s)
            with suppress(BrokenPipeError, ConnectionResetError):  # it may answer before the end
                http.request(verb, self._prefix + path, body, sent_headers)
            response = http.getresponse()
        except (OSError, HTTPException) as error:
            raise self._failure(error, timeout_s) from error
        except BaseException:
            self.close()
            raise
        self._check(response)
        return response

    def send(self, verb: str, path: str, headers: dict[str, str]) -> None:
        """Ask for what happens without its answer being read, and disconnect."""
        with suppress(OSError, HTTPException):
            http = self._connected()
            http.request(verb, self._prefix + path, headers=self._identification() | headers)
        self.close()

    def abort(self, reason: str) -> None:
        """From another thread: end what is asked just now, for this reason."""
        with self._lock:
            self._aborted = reason
            if self._http is not None and self._http.sock is not None:
                with suppress(OSError):
                    self._http.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Disconnect."""
        with self._lock:
            if self._http is not None:
                self._http.close()
                self._http = None

    def _connected(self) -> HTTPConnection:
        """The connection, which a server ends after some seconds without a request."""
        if self._http is not None and (self._http.sock is None or _has_ended(self._http.sock)):
            self.close()
        if self._http is None:
            http = self._new_connection()
            try:
                http.connect()
            except (OSError, UnicodeError) as error:
                raise _unreachable(self.address, self._proxy, error) from error
            http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            http.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _KEEP_ALIVE:
                http.sock.setsockopt(socket.IPPROTO_TCP, option, value)
            self._http = http
        return self._http

    def _new_connection(self) -> HTTPConnection:
        address, proxy = self.address, self._proxy
        host, port = (proxy.host, proxy.port) if proxy else (address.host, address.port)
        if not address.is_secure:
            http = HTTPConnection(host, port, timeout=_CONNECT_S)
        else:
            trusted = ssl.create_default_context()  # those of the system, $SSL_CERT_FILE
            http = HTTPSConnection(host, port, timeout=_CONNECT_S, context=trusted)
            if proxy:
                http.set_tunnel(address.host, address.port or HTTPS_PORT, proxy.headers)
        http.response_class = _Response
        return http

    def _identification(self) -> dict[str, str]:
        token = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        of_proxy = self._proxy.headers if self._proxy and not self.address.is_secure else {}
        return {PROTOCOL_HEADER: PROTOCOL, **token, **of_proxy}

    def _failure(self, error: Exception, timeout_s: float) -> ConnectionFailed:
        self.close()
        if self._aborted is not None:
            reason = self._aborted
        elif isinstance(error, TimeoutError):
            option = "" if timeout_s == limits.most_answer_s else " (--wait SECONDS)"
            reason = f"nothing for {timeout_s:g} s{option}"
        else:
            reason = f"a broken connection: {_reason(error)}"
        return ConnectionFailed(f"{self.address}: expected an answer, got {reason}")

    def _check(self, response: HTTPResponse) -> None:
        """Whether the server speaks this protocol; else what it has said."""
        spoken = response.headers.get(PROTOCOL_HEADER)
        if spoken == PROTOCOL:
            return
        response.close()
        self.close()
        if spoken is None:
            raise self._other_server(response)
        raise PerfduckError.at(
            self.address,
            expected=f"a server that speaks protocol {PROTOCOL} of perfduck, as this command does",
            got=f"one of another version, which speaks {spoken}",
        )

    def _other_server(self, response: HTTPResponse) -> PerfduckError:
        """An answer that perfduck did not give; ConnectionFailed where a proxy may do so for it."""
        by_proxy = response.status in _OF_PROXIES
        kind = ConnectionFailed if by_proxy else PerfduckError
        name = "no answer of it behind a proxy" if by_proxy else "another HTTP server"
        got = f"{name} ({response.status} {response.reason}){_by(self._proxy)}"
        return kind.at(self.address, expected="a perfduck server", got=got)

    def accepted(self, answer: HttpAnswer) -> HttpAnswer:
        """The answer of a server that has done what was asked; PerfduckError with what another
        says."""
        if answer.status != HTTPStatus.OK:
            raise self.refusal(answer)
        return answer

    def decoded(self, answer: HttpAnswer, type_: type[_T]) -> _T:
        """The body, which is JSON of this type. PerfduckError for any other."""
        try:
            return msgspec.json.decode(answer.body, type=type_)
        except (ValueError, RecursionError) as error:
            raise self.unreadable(error) from error

    def unreadable(self, error: Exception) -> PerfduckError:
        """A body that is no answer to what was asked."""
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return PerfduckError.at(
            self.address, expected="an answer of perfduck", got=f"a body that is not one ({reason})"
        )

    def refusal(self, answer: HttpAnswer) -> PerfduckError:
        """What a server that does not answer the question says in its place."""
        text = error_of(answer)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            line = text or "expected a token, got another one or none"
            return NotAllowed(f"{self.address}: {line} ($PERFDUCK_TOKEN)")
        if answer.status == HTTPStatus.FORBIDDEN:
            return NotAllowed(f"{self.address}: {text or 'this token may not do that'}")
        if self.address.path and text and text.endswith(_NO_ROUTE):
            expected = "the URL of a perfduck server"
            return PerfduckError.at(
                self.address, expected=expected, got=f"one with path {self.address.path}"
            )
        has_failed = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if text is None or has_failed:
            got = f"status {answer.status}{f': {text}' if text else ''}"
            kind = ConnectionFailed if has_failed else PerfduckError
            return kind.at(self.address, expected="an answer", got=got)
        return PerfduckError(text)


def answered(ask: Callable[[], HttpAnswer], wait: Wait, reason: str) -> HttpAnswer:
    """The answer, asked for again while the server is busy and `wait` is not over. `reason`: what
    is waited for, in words."""
    while True:
        answer = ask()
        if answer.status != BUSY or not wait.goes_on(reason):
            return answer
        time.sleep(answer.retry_after_s or 0)


def error_of(answer: HttpAnswer) -> str | None:
    """The line of `{"error": LINE}`, if it is one."""
    try:
        return msgspec.json.decode(answer.body, type=_Refusal).error
    except ValueError:
        return None


class _Refusal(msgspec.Struct):
    error: str


def _retry_after(response: HTTPResponse) -> float | None:
    text = response.headers.get("Retry-After", "")
    return min(float(text), _MOST_RETRY_S) if text.isascii() and text.isdigit() else None


def _has_ended(sock: socket.socket) -> bool:
    """Whether there is something to read though nothing was asked: the end."""
    return bool(select.select([sock], [], [], 0)[0])


def _reason(error: Exception) -> str:
    """In words, to go on with a sentence."""
    text = getattr(error, "strerror", None) or str(error)  # with a line of the server's in it
    words = " ".join(text.split()) or type(error).__name__
    return f"{words[:1].lower()}{words[1:]}"


def _unreachable(address: Address, proxy: Proxy | None, error: Exception) -> ConnectionFailed:
    """Why there is no connection."""
    if isinstance(error, ssl.SSLCertVerificationError):
        expected = "a certificate that this system trusts"
        return ConnectionFailed.at(address, expected=expected, got=error.verify_message)
    if isinstance(error, ssl.SSLError):
        got = f"no TLS ({error.reason or error})"
        return ConnectionFailed.at(address, expected="a perfduck server", got=got)
    hint = _by(proxy) if proxy else _port_hint(address)
    return ConnectionFailed.at(address, expected="a perfduck server", got=f"{_reason(error)}{hint}")


def _by(proxy: Proxy | None) -> str:
    return f" through the proxy {proxy}" if proxy else ""


def _port_hint(address: Address) -> str:
    if address.port is None and not address.is_secure:
        return f" at port 80 (perfduck serve has port 8480: {address}:8480)"
    return ""
