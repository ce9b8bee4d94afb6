"""Rules and kallsyms that symbols are tagged by, kept so that they need not be given again."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import xxhash

from perfduck_store.store import Store, named

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Kind = Literal["rules", "kallsyms"]


@dataclass(frozen=True, slots=True)
class TagInput:
    """A file as it was given: `source` is its name then, `path` where its content is now."""

    source: str
    path: Path


def keep(store: Store, kind: Kind, path: Path, release: str = "") -> str | None:
    """Keep the file, in a transaction of the caller, in place of the one before; what that changed,
    in words. `release`: of the kernel whose kallsyms it is."""
    content = path.read_bytes()
    key = {"kind": kind, "kernel_release": release}
    new = xxhash.xxh3_128_hexdigest(content)
    before = content_hash(store, kind, release)
    if before == new:
        return None
    packed = {"content_hash": new, "content": zstd.compress(content)}
    store.execute(named("keep_tag_input"), {**key, "source": str(path), **packed})
    return f"{kind} {'replaced' if before else 'kept'}"


@contextmanager
def kept(store: Store, kind: Kind, release: str = "") -> Iterator[TagInput | None]:
    """The file that the store keeps; None where it keeps none."""
    rows = store.rows(named("tag_input"), {"kind": kind, "kernel_release": release})
    if not rows:
        yield None
        return
    source, _, content = rows[0]
    with TemporaryDirectory(prefix="perfduck-") as folder:
        path = Path(folder) / Path(source).name  # its ending says what it is
        path.write_bytes(zstd.decompress(content))
        yield TagInput(source, path)


def content_hash(store: Store, kind: Kind, release: str = "") -> str | None:
    """Of the file that the store keeps; None where it keeps none."""
    rows = store.rows(named("tag_input_hash"), {"kind": kind, "kernel_release": release})
    return rows[0][0] if rows else None


def forget(store: Store, kind: Kind) -> bool:
    """Keep it no more; whether there was one."""
    return bool(store.rows(f"{named('forget_tag_input')} returning kind", {"kind": kind}))
