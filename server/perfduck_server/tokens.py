"""Tokens: who may push, read, run SQL or administer. The file has hashes alone.

    STORE.server/tokens.json
    [{"name": "ci", "hash": "9f86...", "scopes": ["push"], "labels": {"host": "node7"}, ...}]

A secret has 256 random bits, so that its SHA-256 needs neither salt nor rounds. The file stays when
the last token is revoked, and the store itself keeps that it is served with tokens alone: a server
that once had tokens never becomes open, also where somebody removes STORE.server.
"""

import fcntl
import hashlib
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

import msgspec

from perfduck import PerfduckError
from perfduck_server.settings import Settings
from perfduck_server.spool import write_whole
from perfduck_store.duckdb import store_file

Scope = Literal["push", "read", "sql", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
_PREFIX = "pdk_"  # so that scanners of leaked secrets know one


class AccessToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token, without its secret. `labels` are those of all that is pushed with it."""

    name: str
    hash: str
    scopes: list[Scope]
    labels: dict[str, str] = {}
    created_at: datetime
    expires_at: datetime | None = None

    @property
    def is_expired(self) -> bool:
        """Whether it is too late to use it."""
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)


class TokenFile:
    """The tokens of a store. Read again when the file has changed."""

    def __init__(self, state_folder: Path) -> None:
        self._path = state_folder / "tokens.json"
        self._seen: tuple[int, int, int] | None = None
        self._tokens: list[AccessToken] = []
        self._was_there = False

    def all(self) -> list[AccessToken]:
        """All tokens, expired ones too. PerfduckError where the file is not what it should be."""
        seen = self._identity()
        if seen != self._seen:
            self._tokens = [] if seen is None else self._read()
            self._seen = seen
        return self._tokens

    @property
    def is_there(self) -> bool:
        """Whether there is, or was, a token: a file that is removed opens no server that runs."""
        self._was_there = self._was_there or self._path.exists()
        return self._was_there

    def of(self, secret: str) -> AccessToken | None:
        """The token with this secret, if it may be used."""
        digest = hash_of(secret)
        tokens = [each for each in self.all() if secrets.compare_digest(each.hash, digest)]
        return next((each for each in tokens if not each.is_expired), None)

    def add(
        self, name: str, scopes: Sequence[Scope], labels: dict[str, str], age: timedelta | None
    ) -> str:
        """Add a token; its secret, which is not kept. PerfduckError where the name is taken."""
        secret = _PREFIX + secrets.token_urlsafe(32)
        now = datetime.now(UTC).replace(microsecond=0)
        added = AccessToken(
            name=name,
            hash=hash_of(secret),
            scopes=[each for each in SCOPES if each in scopes],
            labels=labels,
            created_at=now,
            expires_at=None if age is None else now + age,
        )
        with self._changing() as tokens:
            if any(each.name == name for each in tokens):
                raise PerfduckError.at(name, expected="a new name", got="that of another token")
            tokens.append(added)
        return secret

    def revoke(self, name: str) -> None:
        """Remove a token. PerfduckError where there is none of this name."""
        _others(self.all(), name)  # before a file is made
        with self._changing() as tokens:
            tokens[:] = _others(tokens, name)

    @contextmanager
    def _changing(self) -> Iterator[list[AccessToken]]:
        """One process changes the file at a time."""
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            tokens = list(self.all())
            yield tokens
            content = msgspec.json.format(msgspec.json.encode(tokens))
            write_whole(self._path, content)

    def _identity(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _read(self) -> list[AccessToken]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[AccessToken])
        except (msgspec.DecodeError, OSError) as error:
            got = str(error).splitlines()[0]
            raise PerfduckError.at(self._path, expected="tokens", got=got) from error


def tokens_of(store: Path) -> TokenFile:
    """The tokens of the store at a path, which may be made later. PerfduckError where none can
    be."""
    (store_file.check if store.exists() else store_file.check_new)(store)
    return TokenFile(Settings(store=store).state_folder)


def _others(tokens: Sequence[AccessToken], name: str) -> list[AccessToken]:
    others = [each for each in tokens if each.name != name]
    if len(others) == len(tokens):
        names = ", ".join(each.name for each in tokens) or "none"
        raise PerfduckError.at(name, expected="a token", got=f"none; there are: {names}")
    return others


def hash_of(secret: str) -> str:
    """What the file has of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def scopes_of(text: str) -> list[Scope]:
    """push,read as scopes. PerfduckError for what is none."""
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in SCOPES:
            expected = f"some of {','.join(SCOPES)}"
            raise PerfduckError.at(where="--scope", expected=expected, got=word or "nothing")
    return [scope for scope in SCOPES if scope in words]
