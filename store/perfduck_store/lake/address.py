"""Which lake is meant by lake:DIRECTORY or lake:s3://BUCKET/PREFIX."""

import re

from perfduck_model.errors import PerfduckError

SCHEME = "lake:"
S3 = "s3://"
EXPECTED = f"{SCHEME}DIRECTORY or {SCHEME}{S3}BUCKET/PREFIX"
# s3:/bucket and //bucket are addresses with a slash or a word too few; as directories they would be
# made, and what was meant for a bucket stored there.
_MISTYPED = re.compile(r"[a-z][\w+.-]*:|//(?!/)", re.IGNORECASE)


def is_lake(url: object) -> bool:
    """Whether a store's address is that of a lake."""
    return str(url).startswith(SCHEME)


def root_of(url: str) -> str:
    """Where a lake is: a directory, or s3://BUCKET/PREFIX. PerfduckError for another address."""
    root = url.removeprefix(SCHEME)
    if not root:
        raise PerfduckError.at(url, expected=EXPECTED, got="no directory")
    if root.startswith(S3):
        bucket, prefix = bucket_of(root)
        return f"{S3}{bucket}/{prefix}".rstrip("/")
    if "://" in root:
        raise PerfduckError.at(url, expected=EXPECTED, got=f"a URL of {root.partition(':')[0]}")
    if mistyped := _MISTYPED.match(root):
        directory = f"/{root.lstrip('/')}" if root.startswith("/") else f"./{root}"
        expected = f"{EXPECTED} ({SCHEME}{directory} for a directory)"
        raise PerfduckError.at(url, expected=expected, got=f"one that begins with {mistyped[0]}")
    return root


def bucket_of(root: str) -> tuple[str, str]:
    """The bucket and the prefix, which may be empty, of s3://BUCKET/PREFIX. PerfduckError where it
    is none."""
    bucket, _, path = root.removeprefix(S3).partition("/")
    prefix = path.strip("/")
    if not bucket:
        raise PerfduckError.at(where=f"{SCHEME}{root}", expected=EXPECTED, got="no bucket")
    parts = prefix.split("/") if prefix else []
    if not prefix.isprintable() or {"", ".", ".."} & {*parts}:
        got = "one with an empty part, . or .., or with control characters"
        raise PerfduckError.at(where=f"{SCHEME}{root}", expected="another prefix", got=got)
    return bucket, prefix
