"""Tags symbols: what the rest of perfduck asks.

    name            dso                     source_file           area           subsystem
    nf_hook_slow    [kernel.kallsyms]       net/netfilter/core.c  net/netfilter  netfilter_core
    nft_do_chain    [nf_tables]             net/netfilter/nf_..   net/netfilter  nftables
    __libc_connect  /usr/lib/.../libc.so.6                        user           libc

Nothing is read before the first symbol is tagged, and then only what its kind needs.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path

import polars as pl

from perfduck_model.small_file import UserFile
from perfduck_symbols import names
from perfduck_symbols.files import HostFiles
from perfduck_symbols.kallsyms import Kallsyms
from perfduck_symbols.kernel_files import KernelFiles
from perfduck_symbols.resolver import FUNCTIONS, BinaryResolver, resolve
from perfduck_tags import catalogue, neighbours, rule_file
from perfduck_tags.classes import with_class
from perfduck_tags.kernel_tagger import LOCATED, KernelTagger
from perfduck_tags.methods import OF_FILES, TAG_COLUMNS
from perfduck_tags.prefixes import Prefixes
from perfduck_tags.rules import Rule, Rules

_DECIDED = ("row", *TAG_COLUMNS, "rule")
_RESOLVED = {"row": pl.UInt32, "name": pl.String, "source_file": pl.String}


class Tagger:
    """Canonical name, source file, area, subsystem, role and class of symbols.

    kernel_release: of the profiled kernel, '6.18.44'; picks the nearest catalogue version.
    rules: the user's, in front of the shipped ones.
    kernel_files: with /proc/kallsyms of the profiled boot or the kernel's System.map. binaries:
    vmlinux, modules, programs or directories of them.
    earlier: [name, dso, source_file, tagged_by] of symbols that debug information or kallsyms gave
    the file of before.
    host_files: where debug files of the binaries may be, too.
    """

    def __init__(
        self,
        *,
        kernel_release: str | None = None,
        rules: UserFile | None = None,
        kernel_files: KernelFiles | None = None,
        binaries: Iterable[Path] = (),
        earlier: pl.DataFrame | None = None,
        host_files: HostFiles | None = None,
    ) -> None:
        """Read the user's rules; everything else waits until it is needed."""
        self._release = kernel_release
        self._users = tuple(rule_file.read(rules)) if rules else ()
        self._kernel_files = kernel_files or KernelFiles()
        self._resolver = BinaryResolver(binaries, release=kernel_release, host=host_files)
        self._functions = pl.DataFrame(schema=FUNCTIONS)
        self._asked: set[str] = set()  # dsos whose file was looked for
        self._earlier = pl.DataFrame(schema=LOCATED) if earlier is None else _located(earlier)
        self.fresh = pl.DataFrame(schema=FUNCTIONS)  # what was read from files, for a store to keep

    @property
    def release(self) -> str | None:
        """Of the profiled kernel, where it is known."""
        return self._release

    def tag(self, symbols: pl.DataFrame) -> pl.DataFrame:
        """Rows of [symbol_id, name, dso, address] plus canonical, source_file, area, subsystem,
        role, tagged_by and class; only source_file may be null."""
        if symbols.is_empty():
            return symbols.with_columns(pl.lit(None, pl.String).alias(name) for name in TAG_COLUMNS)
        return pl.concat([symbols, self.decide(symbols).select(TAG_COLUMNS)], how="horizontal")

    def decide(self, symbols: pl.DataFrame) -> pl.DataFrame:
        """What tag adds, and the number of the deciding rule in `rules_of`."""
        work = self.work(symbols)
        kinds = work.partition_by("kind", as_dict=True)
        parts = [self._decided(str(kind), part) for (kind,), part in kinds.items()]
        return pl.concat(parts).sort("row")

    def work(self, symbols: pl.DataFrame) -> pl.DataFrame:
        """[row, name, dso, address, kind, module, source_file] of every symbol; addresses without
        a name have got one where kallsyms or an ELF file tells."""
        rows = symbols.select("name", "dso", "address").with_row_index("row")
        with_names = rows.join(
            names.binaries(rows["dso"]), on="dso", how="left", maintain_order="left"
        )
        nameless = (pl.col("name") == names.UNKNOWN) & pl.col("address").is_not_null()
        nameless_rows = with_names.filter(nameless)
        sources = pl.concat([self._by_kallsyms(nameless_rows), self._by_file(nameless_rows)])
        if sources.is_empty():
            return with_names.with_columns(pl.lit(None, pl.String).alias("source_file"))
        joined = with_names.join(sources.rename({"name": "_name"}), on="row", how="left")
        return joined.with_columns(pl.coalesce("_name", "name").alias("name")).drop("_name")

    def rules_of(self, kind: str) -> Rules:
        """The rules for functions of a kind of binary, in the order in which they are tried."""
        return self.kernel.rules if kind in ("kernel", "guest") else self._user_rules

    def functions(self, dsos: Iterable[str]) -> pl.DataFrame:
        """resolver.FUNCTIONS of these dsos: what was given, and what the binaries hold."""
        paths = set(dsos)
        missing = paths - self._asked
        if missing:
            self._asked |= missing
            read = self._resolver.functions(missing)
            self.fresh = pl.concat([self.fresh, read])
            self._functions = pl.concat([self._functions, read])
        return self._functions.filter(pl.col("dso").is_in(list(paths)))

    def has_function(self, name: str, dso: str) -> bool:
        """Whether the files that are given have such a function of this binary."""
        listed = self.symbols is not None and (self.symbols.rows["name"] == name).any()
        return listed or (self.functions([dso])["name"] == name).any()

    def unknown(self, dsos: Iterable[str]) -> set[str]:
        """Those of the dsos that no functions were looked for."""
        return set(dsos) - self._asked

    def know(self, functions: pl.DataFrame) -> None:
        """Take functions that a store kept, of dsos that are not known yet."""
        new = functions.filter(~pl.col("dso").is_in(list(self._asked)))
        self._asked |= set(new["dso"])
        self._functions = pl.concat([self._functions, new])

    def _decided(self, kind: str, work: pl.DataFrame) -> pl.DataFrame:
        if kind == "kernel":
            return _of_kernel(work, self.kernel_of(work["dso"]))
        if kind == "guest":
            return _as_guest(_of_kernel(work, self._guest))
        return self._of_user(work)

    def _by_kallsyms(self, asked: pl.DataFrame) -> pl.DataFrame:
        own = asked.filter(pl.col("kind") == "kernel")
        if self.symbols is None or own.is_empty():
            return pl.DataFrame(schema=_RESOLVED)
        names = own.select("row", self.symbols.resolve(own["address"]).alias("name"))
        return names.drop_nulls().with_columns(pl.lit(None, pl.String).alias("source_file"))

    def _by_file(self, asked: pl.DataFrame) -> pl.DataFrame:
        own = asked.filter(pl.col("kind") == "user")
        return resolve(own, self.functions(own["dso"].unique()))

    def kernel_of(self, dsos: pl.Series) -> KernelTagger:
        """What is known of the profiled kernel, with the debug information of these dsos."""
        located = pl.concat([self.kernel.located, self._by_dwarf(dsos), self._earlier])
        return replace(self.kernel, located=located)

    def _by_dwarf(self, dsos: pl.Series) -> pl.DataFrame:
        """kernel.LOCATED of the kernel and the modules that debug information is at hand for."""
        functions = self.functions(dsos.unique())
        if functions.is_empty():
            return pl.DataFrame(schema=LOCATED)
        rows = functions.join(names.binaries(functions["dso"]), on="dso").drop_nulls("source_file")
        return rows.select(
            "module", "name", pl.col("source_file").alias("source"),
            pl.lit(value=True).alias("certain"), pl.lit("dwarf").alias("method"),
        ).unique()  # fmt: skip

    def _of_user(self, work: pl.DataFrame) -> pl.DataFrame:
        empty = pl.lit(None, pl.String)
        tagged = self._user_rules.classify(
            work.select(
                "row", "kind", "source_file", pl.col("name").alias("symbol"),
                empty.alias("source"), empty.alias("module"),
                _path(pl.col("dso").str.strip_suffix(" (deleted)")).alias("dso"),
                names.canonical_user(pl.col("name")).alias("canonical"),
            )
        )  # fmt: skip
        nothing = (pl.col("kind") == "unknown") & (pl.col("symbol") == names.UNKNOWN)
        missing = pl.when(nothing).then(pl.lit("unknown"))
        by_user = pl.when(pl.col("rule") < len(self._users)).then(pl.lit("user-rule"))
        return tagged.with_columns(
            pl.col("area").fill_null("user"), pl.col("role").fill_null("domain"),
            pl.coalesce("subsystem", missing.otherwise(pl.lit("user"))).alias("subsystem"),
            by_user.otherwise(missing.otherwise(pl.lit("dso"))).alias("tagged_by"),
        ).pipe(with_class, self._user_rules.all).select(_DECIDED)  # fmt: skip

    @cached_property
    def _user_rules(self) -> Rules:
        return _ordered(self._users, of_dsos=True)

    @cached_property
    def _guest(self) -> KernelTagger:
        """A guest's kernel may be any version."""
        guesses = _guesses(self._users)
        return KernelTagger(guesses.rules, len(self._users), guesses.catalogue, None, guesses)

    @cached_property
    def kernel(self) -> KernelTagger:
        """What is known of the profiled kernel before its debug information is read."""
        shipped = replace(self._guest, release=self._release)
        if self.symbols is None:
            return shipped
        known = (self.symbols, shipped.catalogue, shipped.rules, self._release)
        return replace(shipped, located=neighbours.locate(*known))

    @cached_property
    def symbols(self) -> Kallsyms | None:
        """The kallsyms file that was given."""
        return self._kernel_files.symbols


# What is worked out of the 537 shipped rules once serves every recording of a manifest.
@lru_cache
def _ordered(users: tuple[Rule, ...], *, of_dsos: bool) -> Rules:
    """The user's rules, then the shipped ones on dsos or all others."""
    return Rules((*users, *(rule for rule in rule_file.shipped() if bool(rule.dso) is of_dsos)))


@lru_cache
def _guesses(users: tuple[Rule, ...]) -> Prefixes:
    return Prefixes(catalogue.shipped(), _ordered(users, of_dsos=False))


def _located(earlier: pl.DataFrame) -> pl.DataFrame:
    """kernel.LOCATED of symbols of a store."""
    placed = earlier.filter(pl.col("tagged_by").is_in(OF_FILES))
    rows = placed.drop_nulls("source_file").join(names.binaries(placed["dso"]), on="dso")
    return rows.select(
        "module", "name", pl.col("source_file").alias("source"),
        pl.lit(value=True).alias("certain"), pl.col("tagged_by").alias("method"),
    ).unique()  # fmt: skip


def _of_kernel(work: pl.DataFrame, kernel: KernelTagger) -> pl.DataFrame:
    named = kernel.named(work)
    decided = kernel.decide(named).join(named.select("row", "canonical"), on="row")
    located = decided.rename({"source": "source_file"})
    return located.pipe(with_class, kernel.rules.all).select(_DECIDED)


def _path(dso: pl.Expr) -> pl.Expr:
    """The dso as rules match it. Reports may have base names: libc.so.6 is /libc.so.6."""
    is_bare = ~dso.str.contains(r"^[\[/]|/")
    return pl.when(is_bare).then(pl.lit("/") + dso).otherwise(dso)


def _as_guest(tagged: pl.DataFrame) -> pl.DataFrame:
    return tagged.with_columns(
        area=pl.lit("guest/") + pl.col("area"), subsystem=pl.lit("guest:") + pl.col("subsystem")
    )
