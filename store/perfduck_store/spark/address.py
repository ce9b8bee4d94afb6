"""Which Spark cluster is meant by sc://HOST:PORT."""

import re

from msgspec import Struct

from perfduck_model.errors import PerfduckError

_ADDRESS = re.compile(r"sc://(?P<host>\[[0-9a-f:]+\]|[\w.-]+)(:(?P<port>\d{1,5}))?(/.*)?", re.I)
_PORT = 15002  # of Spark Connect


class EngineAddress(Struct, frozen=True):
    """The address of a Spark Connect server, as it was typed; ;token= and such may follow."""

    url: str
    host: str
    port: int

    def __str__(self) -> str:
        """Without what follows: it may have a token."""
        return f"sc://{self.host}:{self.port}"


def engine_at(url: str) -> EngineAddress:
    """What an address means. PerfduckError where it is none."""
    match = _ADDRESS.fullmatch(url)
    if match is None or not 0 < int(match["port"] or _PORT) < 1 << 16:
        expected = "sc://HOST:PORT of a Spark Connect server"
        raise PerfduckError.at(
            where="--engine", expected=expected, got=url.partition(";")[0] or "nothing"
        )  # no token
    return EngineAddress(url, match["host"], int(match["port"] or _PORT))
