"""Rules and kallsyms that symbols are tagged by, kept so that they need not be given again."""

from typing import TYPE_CHECKING

import xxhash

from perfduck_model.zstandard import zstd
from perfduck_store.duckdb.query import named
from perfduck_store.records import TagInput, TagInputKind

if TYPE_CHECKING:
    from perfduck_store.duckdb.store import DuckDbStore


class DuckDbTagInputs:
    """See protocol.TagInputs."""

    def __init__(self, store: "DuckDbStore") -> None:
        self._store = store

    def keep(
        self, kind: TagInputKind, source: str, content: bytes, release: str = ""
    ) -> str | None:
        """Keep a file, in a transaction of the caller, in place of the one before; what that
        changed, in words. `release`: of the kernel whose kallsyms it is."""
        key = {"kind": kind, "kernel_release": release}
        new = xxhash.xxh3_128_hexdigest(content)
        before = self.content_hash(kind, release)
        if before == new:
            return None
        packed = {"content_hash": new, "content": zstd.compress(content)}
        self._store.execute(named("keep_tag_input"), {**key, "source": source, **packed})
        return f"{kind} {'replaced' if before else 'kept'}"

    def kept(self, kind: TagInputKind, release: str = "") -> TagInput | None:
        """The file that the store keeps; None where it keeps none."""
        rows = self._store.rows(named("tag_input"), {"kind": kind, "kernel_release": release})
        return TagInput(rows[0][0], zstd.decompress(rows[0][2])) if rows else None

    def content_hash(self, kind: TagInputKind, release: str = "") -> str | None:
        """Of the file that the store keeps; None where it keeps none."""
        key = {"kind": kind, "kernel_release": release}
        rows = self._store.rows(named("tag_input_hash"), key)
        return rows[0][0] if rows else None

    def forget(self, kind: TagInputKind) -> bool:
        """Keep it no more; whether there was one."""
        return bool(self._store.rows(named("forget_tag_input"), {"kind": kind}))
