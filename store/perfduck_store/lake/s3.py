"""The files of a lake in a bucket of S3, or of what speaks its protocol.

A PUT is there as a whole or not at all, and is seen by all who ask from then on (S3 is strongly
consistent since 2020). Parts and commits overwrite: their name says their content, and what is
written again must not be deleted by a compaction as old. The number of a generation is written
with If-None-Match: one of two compactions gets it.

DuckDB reads copies on this machine (cache.py): its wheel has no httpfs, and parts are read as a
whole, to be checked against their names.
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from perfduck_model.errors import PerfduckError
from perfduck_store.lake.address import S3, SCHEME, bucket_of
from perfduck_store.lake.cache import LakeCache
from perfduck_store.lake.s3_settings import no_keys, s3_settings
from perfduck_store.lake.storage import PartIsMissing

try:
    import obstore
    from obstore.exceptions import AlreadyExistsError, BaseError
    from obstore.store import S3Store
except ModuleNotFoundError as error:
    raise PerfduckError.at(
        where=f"{SCHEME}{S3}",
        expected="the package obstore (pip install 'perfduck[s3]')",
        got="none",
    ) from error

_RETRIES = 7  # of requests that got 5xx, 429 or no answer: the last after some 10 s
_FIRST_WAIT = timedelta(seconds=0.5)
_CHUNK = 16 << 20  # larger files are sent in chunks
_ENDPOINT_OF_ROLES = "169.254."
_STATUS = re.compile(r"status code: (\d{3} [\w ]+)")
_CODE = re.compile(r"<Code>([^<]{1,100})</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,300})</Message>")
_OTHER_REGION = ("PermanentRedirect", "AuthorizationHeaderMalformed")


class S3Storage:
    """See LakeStorage."""

    at_once = 16

    def __init__(self, root: str, version: str) -> None:
        """Of s3://BUCKET/PREFIX; nothing is asked yet. PerfduckError where there are no keys."""
        self._root, self._version = root, version
        bucket, prefix = bucket_of(root)
        settings = s3_settings()
        self._region, self._endpoint = settings.region, settings.endpoint
        self._cache = LakeCache(bucket, prefix, settings.endpoint or "")
        self._fetched: set[str] = set()
        is_plain = (settings.endpoint or "").startswith("http://")
        with self._asked():
            self._store = S3Store(
                bucket,
                prefix=prefix or None,
                config=settings.config,
                client_options={
                    "allow_http": is_plain,
                    "connect_timeout": "5s",
                    "read_timeout": "30s",
                    "timeout": "15m",  # of a request with its body
                },
                retry_config={
                    "backoff": {"init_backoff": _FIRST_WAIT},
                    "max_retries": _RETRIES,
                    "retry_timeout": timedelta(minutes=2),
                },
            )

    @property
    def local_folder(self) -> Path:
        """That of the copies."""
        return self._cache.folder.resolve() / self._version

    def where(self, *names: str) -> str:
        """The URL."""
        return "/".join([self._root, self._version, *names] if names else [self._root])

    def top(self) -> list[str]:
        """The names below the prefix."""
        with self._asked():
            listed = obstore.list_with_delimiter(self._store)
        paths = [*listed["common_prefixes"], *(each["path"] for each in listed["objects"])]
        return [name for path in paths if (name := path.strip("/"))]

    def names(self, folder: str) -> list[str]:
        """The names of the objects below a prefix, sorted."""
        return sorted(self.written_at(folder))

    def folders(self) -> list[str]:
        """The prefixes that have objects."""
        with self._asked(self._version):
            listed = obstore.list_with_delimiter(self._store, self._version)
        return sorted(path.strip("/").rpartition("/")[2] for path in listed["common_prefixes"])

    def read(self, folder: str, name: str) -> bytes:
        """The content of an object. FileNotFoundError where there is none."""
        with self._asked(folder, name):
            return bytes(obstore.get(self._store, self._key(folder, name)).bytes())

    def read_named(self, folder: str, name: str) -> bytes:
        """The same, of one that is named by its content: that of a copy where there is one."""
        return self._copy(folder, name).read_bytes()

    def local(self, folder: str, name: str, size: int) -> Path:
        """The path of a copy."""
        try:
            return self._copy(folder, name)
        except FileNotFoundError as error:
            raise PartIsMissing.of(self.where(folder, name), "no such object") from error

    def forget(self, folder: str, name: str) -> bool:
        """Delete a copy that is damaged; False where this process has fetched it itself."""
        was_there = self._cache.forget(f"{self._version}/{folder}", name)
        return was_there and self._key(folder, name) not in self._fetched

    def scratch(self) -> AbstractContextManager[Path]:
        """A directory on the disk of the copies."""
        return self._cache.scratch()

    def put(self, written: Path, folder: str, name: str) -> None:
        """Upload it, in chunks where it is large, and keep it as a copy."""
        with self._asked(folder, name, is_write=True):
            obstore.put(self._store, self._key(folder, name), written, chunk_size=_CHUNK)
        self._cache.keep(written, f"{self._version}/{folder}", name)

    def create(self, written: Path, folder: str, name: str) -> bool:
        """Upload it where there is no object of this name."""
        content = written.read_bytes()
        with self._asked(folder, name, is_write=True):
            try:
                obstore.put(self._store, self._key(folder, name), content, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def written_at(self, folder: str) -> dict[str, float]:
        """The times of S3."""
        prefix = f"{self._version}/{folder}"
        with self._asked(folder):
            objects = [
                (each["path"].removeprefix(f"{prefix}/"), each["last_modified"].timestamp())
                for some in obstore.list(self._store, prefix, chunk_size=1000)
                for each in some
            ]
        return {name: time for name, time in objects if name and "/" not in name}

    def delete(self, folder: str, name: str, before: float) -> int:
        """Delete an object that was written before this time, and say how many bytes it had."""
        key = self._key(folder, name)
        with self._asked(folder, name, is_write=True):
            try:
                there = obstore.head(self._store, key)
            except FileNotFoundError:
                return 0
            if there["last_modified"].timestamp() >= before:
                return 0
            obstore.delete(self._store, key)
        self._cache.forget(f"{self._version}/{folder}", name)
        size: int = there["size"]
        return size

    def sweep(self, before: float) -> None:
        """Nothing is left: what was not sent as a whole has no name."""

    def _copy(self, folder: str, name: str) -> Path:
        """The copy of an object, fetched where there is none."""
        place = f"{self._version}/{folder}"
        if path := self._cache.used(place, name):
            return path
        self._cache.make_room()
        with self._cache.scratch() as scratch:
            with self._asked(folder, name), (scratch / name).open("wb") as file:
                for chunk in obstore.get(self._store, self._key(folder, name)):
                    file.write(chunk)
            self._fetched.add(self._key(folder, name))
            return self._cache.keep(scratch / name, place, name)

    def _key(self, folder: str, name: str) -> str:
        return f"{self._version}/{folder}/{name}"

    @contextmanager
    def _asked(self, *names: str, is_write: bool = False) -> Iterator[None]:
        """Requests within are about these names."""
        where = self.where(*names)
        try:
            yield
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise self._refusal(where, str(error), is_write=is_write) from None
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), where) from None
        except (BaseError, ValueError) as error:
            # Not chained: the text may have what was signed.
            raise self._refusal(where, str(error), is_write=is_write) from None

    def _refusal(self, where: str, text: str, *, is_write: bool) -> PerfduckError:
        """In a line, of which nothing is secret."""
        line = text.partition("\n\nDebug source")[0]
        code = _found(_CODE, line)
        expected = "a lake that can be written" if is_write else "a lake"
        got = line.partition("\n")[0]
        if _ENDPOINT_OF_ROLES in line:
            return no_keys()
        if code == "NoSuchBucket":
            expected, got = "a bucket", f"none named {bucket_of(self._root)[0]}"
        elif code in _OTHER_REGION or "redirect without LOCATION" in line:
            expected, got = "the region of the bucket ($AWS_REGION)", self._region
        elif status := _found(_STATUS, line):
            got = ": ".join(word for word in (status, code, _found(_MESSAGE, line)) if word)
        elif "HTTP error" in line:
            expected, got = f"an answer of {self._host()}", "none"
        return PerfduckError.at(where, expected=expected, got=got)

    def _host(self) -> str:
        """Without what else the URL of the endpoint may have: a user, a password."""
        url = urlsplit(self._endpoint or f"https://s3.{self._region}.amazonaws.com")
        return f"{url.hostname}:{url.port}" if url.port else str(url.hostname)


def _found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""
