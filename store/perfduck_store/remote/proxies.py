"""Which proxy leads to a server: that of $http_proxy, $https_proxy or $all_proxy, in small letters
or large, but for what $no_proxy lists, and for this machine."""

from base64 import b64encode
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from perfduck_model.errors import PerfduckError
from perfduck_store.remote.address import Address

_PORT = 80  # where the variable has none, as of any http:// URL


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy; `headers` are for it alone, not for the server. `variable`: which says so."""

    host: str
    port: int
    headers: dict[str, str]
    variable: str

    def __str__(self) -> str:
        """Without the password that a URL may have."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port} (${self.variable})"


def proxy_of(address: Address) -> Proxy | None:
    """The proxy to ask; None where the server is asked directly. PerfduckError for one of another
    kind than HTTP."""
    if _is_loopback(address.host):
        return None
    proxies = getproxies_environment()
    scheme = "https" if address.is_secure else "http"
    kind = scheme if proxies.get(scheme) else "all"
    host = address.host if address.port is None else f"{address.host}:{address.port}"
    if not (text := proxies.get(kind)) or proxy_bypass(host):
        return None
    return _proxy(text, f"{kind}_proxy")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _proxy(text: str, variable: str) -> Proxy:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:  # a port that is no number, half of an IPv6 address
        parts, host, port = urlsplit(""), None, None
    if parts.scheme != "http" or host is None:
        got = f"{parts.scheme}://" if host else "another URL"  # of which a part may be a password
        raise PerfduckError.at(where=f"${variable}", expected="http://HOST:PORT", got=got)
    return Proxy(host, port or _PORT, _identification(parts), variable)


def _identification(parts: SplitResult) -> dict[str, str]:
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
