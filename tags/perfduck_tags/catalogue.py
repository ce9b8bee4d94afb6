"""The catalogue: in which source file a kernel function lies, by kernel version.

    name          source            v5.10 v6.1 v7.2    0 absent, 1 in a module, 2 in vmlinux
    nf_hook_slow  net/netfilter/core.c  2    2    2

    module        source                            functions  v5.10 v6.1 v7.2
    nf_conntrack  net/netfilter/nf_conntrack_core.c       352      1    1    1

Names are plain (names.py). Trace stubs and other names that a symbol rule knows are left out. Of a
module the table holds one source file per tag, with the number of functions behind it: 4,454 of
4,465 modules have a single tag. build_catalogue.py makes both files.
"""

import re
from functools import cache
from pathlib import Path

import polars as pl
from msgspec import Struct

from perfduck_symbols import names
from perfduck_tags.rules import DATA

FUNCTIONS = DATA / "functions.parquet"
MODULES = DATA / "modules.parquet"
MERGED = DATA / "merged_modules.csv"
ABSENT, IN_MODULE, IN_VMLINUX = 0, 1, 2

# What perf shows as modules and is none: JIT-compiled programs and generated trampolines.
_GENERATED = {
    "bpf": "kernel/bpf/core.c",
    "__builtin__ftrace": "kernel/trace/ftrace.c",
    "__builtin__kprobes": "kernel/kprobes.c",
}
# The number of releases before x.0: 3.19, 4.20, 5.19 and 6.19 were the last of their series.
_SERIES = {3: 0, 4: 20, 5: 41, 6: 61, 7: 81}


class Catalogue(Struct, frozen=True):
    """Functions and modules of several kernel versions."""

    functions: pl.DataFrame
    modules: pl.DataFrame

    def listed(self, names: pl.Series) -> pl.DataFrame:
        """The rows of `functions` with one of these names."""
        # A join would hash all names of the catalogue, ten times the work.
        return self.functions.filter(pl.col("name").is_in(names.implode()))

    def candidates(self, names: pl.Series, release: str | None) -> pl.DataFrame:
        """[name, source, age, builtin] of each listed name; age 0 is the nearest version."""
        rows = self.listed(names.unique())
        dated = _by_age(rows, ["name", "source"], release).sort("age")
        return dated.unique(["name", "source"], keep="first").select(
            "name", "source", "age", (pl.col("home") == IN_VMLINUX).alias("builtin")
        )

    def spelled(self, canonical: pl.Series) -> pl.DataFrame:
        """[canonical, spelling] of system calls: the name that this catalogue has for them."""
        pairs = [
            (name, spelling, rank)
            for name in canonical.unique().to_list()
            for rank, spelling in enumerate(names.spellings(name))
        ]
        schema = {"canonical": pl.String, "spelling": pl.String, "rank": pl.Int64}
        queries = pl.DataFrame(pairs, schema=schema, orient="row")
        is_known = pl.col("spelling").is_in(self.listed(queries["spelling"])["name"].implode())
        listed_names = queries.filter(is_known)
        return listed_names.sort("rank").unique("canonical", keep="first").drop("rank")

    def module_sources(self, names: pl.Series, release: str | None) -> pl.DataFrame:
        """[module, source, functions]: a source file per tag, as in the nearest version."""
        if names.is_empty():
            return pl.DataFrame(schema=_MODULE)
        modules = pl.DataFrame({"module": names.unique()}, schema={"module": pl.String})
        rows = self.modules.join(modules, on="module", how="semi")
        dated = _by_age(rows, ["module", "source", "functions"], release)
        nearest = dated.filter(pl.col("age") == pl.col("age").min().over("module"))
        others = pl.concat([_GENERATED_SOURCES, _merged()]).join(modules, on="module", how="semi")
        listed = pl.concat([nearest.select(list(_MODULE)), others])
        unknown = modules.join(listed, on="module", how="anti")
        return pl.concat([listed, self._by_file(unknown["module"])])

    def _by_file(self, modules: pl.Series) -> pl.DataFrame:
        """Modules that all catalogued kernels have built in, by the file they are named after:
        af_packet is net/packet/af_packet.c."""
        files = modules.drop_nulls()
        if files.is_empty():
            return pl.DataFrame(schema=_MODULE)
        file = pl.col("source").str.extract(r"([^/]+)\.[cS]$").str.replace_all("-", "_")
        sources = self.functions.group_by("source").agg(pl.len().cast(pl.UInt32).alias("functions"))
        rows = sources.with_columns(file.alias("module")).filter(
            pl.col("module").is_in(files.implode()) & (pl.len().over("module") == 1)
        )
        return rows.select(list(_MODULE))


_MODULE = {"module": pl.String, "source": pl.String, "functions": pl.UInt32}
_GENERATED_SOURCES = pl.DataFrame(
    [(module, source, 1) for module, source in _GENERATED.items()], schema=_MODULE, orient="row"
)


@cache
def _merged() -> pl.DataFrame:
    """Modules that were merged into others or renamed before the first catalogued kernel."""
    rows = pl.read_csv(MERGED, comment_prefix="#", schema_overrides=_MODULE)
    return rows.select(list(_MODULE))


def _by_age(rows: pl.DataFrame, index: list[str], release: str | None) -> pl.DataFrame:
    columns = version_columns(rows)
    order = nearest([column[1:] for column in columns], release)
    long = rows.unpivot(columns, index=index, variable_name="version", value_name="home")
    ages = {f"v{version}": age for age, version in enumerate(order)}
    present = long.filter(pl.col("home") != ABSENT)
    return present.with_columns(
        pl.col("version").replace_strict(ages, return_dtype=pl.Int32).alias("age")
    )


def version_columns(rows: pl.DataFrame) -> list[str]:
    """The columns that stand for a kernel version."""
    return [column for column in rows.columns if re.fullmatch(r"v\d+\.\d+", column)]


def versions() -> list[str]:
    """The catalogued releases, oldest first."""
    columns = [column[1:] for column in version_columns(shipped().functions)]
    return sorted(columns, key=lambda version: position(version) or 0)


def nearest(versions: list[str], release: str | None) -> list[str]:
    """The versions, nearest to the release first; newest first where it is not known."""
    here = position(release) if release else None
    if here is None:
        return sorted(versions, key=lambda version: -(position(version) or 0))
    return sorted(versions, key=lambda v: (abs((position(v) or 0) - here), -(position(v) or 0)))


def position(release: str) -> int | None:
    """How many releases came before this one: '6.18.44' and '6.19' lie one apart."""
    match = re.match(r"(\d+)\.(\d+)", release)
    if match is None:
        return None
    major, minor = int(match[1]), int(match[2])
    return _SERIES.get(major, 81 + 20 * (major - 7)) + minor


def load(functions: Path = FUNCTIONS, modules: Path = MODULES) -> Catalogue:
    """A catalogue from its two files."""
    return Catalogue(pl.read_parquet(functions), pl.read_parquet(modules))


@cache
def shipped() -> Catalogue:
    """The catalogue that comes with perfduck."""
    return load()
