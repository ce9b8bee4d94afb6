"""What a DuckDB store keeps beside recordings: attachments of a profile, with the rows that were
read off them, rules and kallsyms that symbols are tagged by, so that they need not be given again,
and the spread between runs that was learned.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import xxhash

from perfduck_model.zstandard import zstd
from perfduck_store.duckdb.schema import named
from perfduck_store.records import (
    AttachedFile,
    AttachedTable,
    ClassNoise,
    MetRule,
    NetCount,
    PodName,
    TagInput,
    TagInputKind,
)

if TYPE_CHECKING:
    import polars as pl

    from perfduck_store.duckdb.store import DuckDbStore


class DuckDbAttachments:
    """See protocol.Attachments."""

    def __init__(self, store: "DuckDbStore") -> None:
        self._store = store

    def keep(
        self,
        profile_id: int,
        kind: str,
        source: str,
        text: str,
        rows: "Mapping[AttachedTable, pl.DataFrame]",
    ) -> str | None:
        """Keep a file of a kind in place of the one before, in a transaction of the caller; `rows`:
        by table. What that changed, in words; None where the profile has this very text."""
        key = {"profile_id": profile_id, "kind": kind}
        before = self._store.rows(named("attached"), key)
        if before == [(text,)]:
            return None
        if before:
            self._store.execute(named("detach"), key)
        self._store.execute(named("attach"), {**key, "source": source, "text": text})
        for table, read in rows.items():
            self._store.execute(f"delete from {table} where profile_id = $p", {"p": profile_id})
            if not read.is_empty():
                self._store.insert(table, read, f"{profile_id}::bigint as profile_id, *")
        return f"{kind} {'replaced' if before else 'attached'}"

    def of(self, profile_id: int) -> list[AttachedFile]:
        """The files kept with a profile, by kind."""
        rows = self._store.rows(named("attachments"), {"profile_id": profile_id})
        return [AttachedFile(*row) for row in rows]

    def met_rules(self, profiles: Iterable[int], limit: int) -> list[MetRule]:
        """Rules that need conntrack or NAT, those of most packets first."""
        keys = {"profiles": list(profiles), "limit": limit}
        return [MetRule(*row) for row in self._store.rows(named("rules_met"), keys)]

    def other_rules(self, profiles: Iterable[int]) -> int:
        """How many different rules need neither."""
        [(number,)] = self._store.rows(named("rules_other"), {"profiles": list(profiles)})
        return int(number)

    def conntrack_entries(self, profiles: Iterable[int]) -> int | None:
        """The most entries that an attached conntrack file counted; None without one."""
        [(entries,)] = self._store.rows(named("conntrack_entries"), {"profiles": list(profiles)})
        return None if entries is None else int(entries)

    def pods(self, profiles: Iterable[int]) -> list[PodName]:
        """What attached lists of pods name, those of the newest recording last."""
        rows = self._store.rows(named("pod_names"), {"profiles": list(profiles)})
        return [PodName(*row) for row in rows]

    def net_counts(self, profiles: Iterable[int]) -> list[NetCount]:
        """What attached counters of the network stack counted, those that counted most first."""
        rows = self._store.rows(named("net_counts"), {"profiles": list(profiles)})
        return [NetCount(*row) for row in rows]


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


class DuckDbNoise:
    """See protocol.LearnedNoise."""

    def __init__(self, store: "DuckDbStore") -> None:
        self._store = store

    def all(self) -> "pl.DataFrame":
        """The columns of table noise; by host, workload and unit, the largest spread first."""
        return self._store.frame(named("noise_learned"))

    def recall(self, workload: str, unit: str, host_class: str) -> list[ClassNoise]:
        """What was learned for a workload and unit, by subsystem: on such a host, else on any."""
        keys = {"workload": workload, "unit": unit, "host": host_class}
        return [ClassNoise(*row) for row in self._store.rows(named("noise_recalled"), keys)]

    def replace(self, learned: "pl.DataFrame") -> None:
        """Store rows of table noise in place of all of the same hosts, workloads and units."""
        keys = learned.select("host_class", "workload", "unit").unique()
        with self._store.transaction():
            self._store.execute_on(keys, named("noise_replaced"))
            self._store.insert("noise", learned)

    def forget(self, profiles: Iterable[int] | None) -> None:
        """Forget what was learned for the workloads of these profiles; None: all."""
        keys = {"profiles": None if profiles is None else list(profiles)}
        self._store.execute(named("noise_forget"), keys)
