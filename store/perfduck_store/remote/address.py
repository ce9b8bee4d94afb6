"""How a server is reached."""

from urllib.parse import urlsplit

from msgspec import Struct

from perfduck_model.errors import PerfduckError

SCHEMES = ("http://", "https://")


class Address(Struct, frozen=True):
    """A server, and the path in front of those of its API."""

    url: str
    host: str
    port: int | None
    path: str
    is_secure: bool

    def __str__(self) -> str:
        return self.url


def address_of(url: str) -> Address:
    """The address that somebody typed. PerfduckError for one of no server."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # a port that is no number, half of an IPv6 address
        host = port = None
    if host is None or parts.query or parts.fragment or parts.username or parts.password:
        raise PerfduckError.at(url, expected="http://HOST:PORT or https://HOST", got="another URL")
    plain = url.rstrip("/")
    return Address(plain, host, port, parts.path.rstrip("/"), parts.scheme == "https")
