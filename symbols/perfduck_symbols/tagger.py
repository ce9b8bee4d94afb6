"""Tags symbols: what the rest of perfduck asks.

    name            dso                     source_file           area           subsystem
    nf_hook_slow    [kernel.kallsyms]       net/netfilter/core.c  net/netfilter  netfilter_core
    nft_do_chain    [nf_tables]             net/netfilter/nf_..   net/netfilter  nftables
    __libc_connect  /usr/lib/.../libc.so.6                        user           libc

Nothing is read before the first symbol is tagged, and then only what its kind needs.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import polars as pl

from perfduck_symbols import catalogue, kallsyms, names, neighbours, rule_file, rules
from perfduck_symbols.kallsyms import Kallsyms
from perfduck_symbols.kernel import DECISION, Kernel
from perfduck_symbols.prefixes import Prefixes
from perfduck_symbols.rules import Rule, Rules

# What a tag's `tagged_by` may be, best first, and whether the tag is as good as certain.
METHODS = {
    "user-rule": True,  # the user's --rules
    "rule": True,  # a shipped rule on the name
    "module": True,  # the module the frame names
    "dwarf": True,  # debug information of this very kernel
    "catalogue": True,  # the source file in kernels that are catalogued
    "neighbour": True,  # the functions before and behind it in kallsyms
    "dso": True,  # user space: the binary
    "guess": False,  # most functions of that prefix
    "unknown": False,
}
_ADDED = ("canonical", "source_file", "area", "subsystem", "role", "tagged_by")


class Tagger:
    """Canonical name, source file, area, subsystem and role of symbols.

    kernel_release: of the profiled kernel, '6.18.44'; picks the nearest catalogue version.
    rules: the user's, in front of the shipped ones. kallsyms: /proc/kallsyms of the profiled boot
    or the kernel's System.map. binaries: vmlinux, modules or directories of them, with DWARF.
    """

    def __init__(
        self,
        *,
        kernel_release: str | None = None,
        rules: Path | None = None,
        kallsyms: Path | None = None,
        binaries: Iterable[Path] = (),
    ) -> None:
        """Read the user's rules; everything else waits until it is needed."""
        self._release = kernel_release
        self._users = tuple(rule_file.read(rules)) if rules else ()
        self._kallsyms = kallsyms
        self._binaries = tuple(binaries)

    def tag(self, symbols: pl.DataFrame) -> pl.DataFrame:
        """Rows of [symbol_id, name, dso, address] plus canonical, source_file, area, subsystem,
        role and tagged_by; only source_file may be null."""
        work = self._work(symbols)
        kinds = work.partition_by("kind", as_dict=True)
        parts = [self._tagged(str(kind), part) for (kind,), part in kinds.items()]
        if not parts:
            return symbols.with_columns(pl.lit(None, pl.String).alias(name) for name in _ADDED)
        tagged = pl.concat(parts).sort("row")
        return pl.concat([symbols, tagged.select(_ADDED)], how="horizontal")

    def _work(self, symbols: pl.DataFrame) -> pl.DataFrame:
        """[row, name, dso, address, kind, module] of every symbol."""
        rows = symbols.select("name", "dso", "address").with_row_index("row")
        return rows.join(names.binaries(rows["dso"]), on="dso", how="left")

    def _tagged(self, kind: str, work: pl.DataFrame) -> pl.DataFrame:
        if kind == "kernel":
            return self._kernel_rows(work, self._kernel)
        if kind == "guest":
            return _of_guest(self._kernel_rows(work, self._guest))
        return self._user_rows(work)

    def _kernel_rows(self, work: pl.DataFrame, kernel: Kernel) -> pl.DataFrame:
        resolved = self._resolved(work) if kernel is self._kernel else work
        named = resolved.with_columns(names.plain(pl.col("name")).alias("symbol"))
        canonical = resolved.select("row", names.canonical(pl.col("name")).alias("canonical"))
        return _result(kernel.decide(named).join(canonical, on="row"))

    def _resolved(self, work: pl.DataFrame) -> pl.DataFrame:
        """Addresses without a name get it from kallsyms; `canonical` then shows it."""
        nameless = (pl.col("name") == "[unknown]") & pl.col("address").is_not_null()
        asked = work.filter(nameless).select("row", "address")
        if self._symbols is None or asked.is_empty():
            return work
        found = asked.select("row", self._symbols.resolve(asked["address"]).alias("_name"))
        joined = work.join(found, on="row", how="left")
        return joined.with_columns(pl.coalesce("_name", "name").alias("name")).drop("_name")

    def _user_rows(self, work: pl.DataFrame) -> pl.DataFrame:
        tagged = self._user_rules.classify(
            work.select(
                "row", "kind", pl.col("name").alias("symbol"),
                pl.lit(None, pl.String).alias("source"), pl.lit(None, pl.String).alias("module"),
                pl.col("dso").str.strip_suffix(" (deleted)"),
                names.canonical_user(pl.col("name")).alias("canonical"),
            )
        )  # fmt: skip
        nothing = (pl.col("kind") == "unknown") & (pl.col("symbol") == "[unknown]")
        missing = pl.when(nothing).then(pl.lit("unknown"))
        by_user = pl.when(pl.col("rule") < len(self._users)).then(pl.lit("user-rule"))
        return _result(tagged.with_columns(
            pl.col("area").fill_null("user"), pl.col("role").fill_null("domain"),
            pl.coalesce("subsystem", missing.otherwise(pl.lit("user"))).alias("subsystem"),
            by_user.otherwise(missing.otherwise(pl.lit("dso"))).alias("tagged_by"),
        ))  # fmt: skip

    @cached_property
    def _user_rules(self) -> Rules:
        return Rules((*self._users, *(rule for rule in rules.shipped() if rule.dso)))

    @cached_property
    def _guest(self) -> Kernel:
        """A guest's kernel may be any version."""
        shipped: tuple[Rule, ...] = tuple(rule for rule in rules.shipped() if not rule.dso)
        ordered = Rules((*self._users, *shipped))
        listed = catalogue.shipped()
        return Kernel(ordered, len(self._users), listed, None, Prefixes(listed, ordered))

    @cached_property
    def _kernel(self) -> Kernel:
        shipped = self._guest
        located = [shipped.located]
        if self._symbols:
            known = (self._symbols, shipped.catalogue, shipped.rules, self._release)
            located.append(neighbours.locate(*known))
        return replace(shipped, release=self._release, located=pl.concat(located))

    @cached_property
    def _symbols(self) -> Kallsyms | None:
        return kallsyms.read(self._kallsyms) if self._kallsyms else None


def _result(tagged: pl.DataFrame) -> pl.DataFrame:
    return tagged.rename({"source": "source_file"}).select("row", *_ADDED)


def _of_guest(tagged: pl.DataFrame) -> pl.DataFrame:
    return tagged.with_columns(
        area=pl.lit("guest/") + pl.col("area"), subsystem=pl.lit("guest:") + pl.col("subsystem")
    )


__all__ = ["DECISION", "METHODS", "Tagger"]
