"""Writes a catalogue's two files from what was read off kernels' DWARF.

Per kernel version a table [name, src, module] of build_catalogue.py: every code symbol, its
source file and the module it is in ('vmlinux').

Kernels of other architectures add what those of x86 have under no name: entries, interrupt
controllers, idle loops. They leave the names of x86 as they are, so no tag there changes.
"""

from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from perfduck_symbols import names
from perfduck_tags import catalogue, rule_file, rules

# Whole tables are 1.4 MB, and modules are known by their name. Functions of modules are kept where
# some kernels have them built in: everything of pod networking, and what virtual machines need.
SHIPPED_AREAS = (
    "net/netfilter", "net/bridge", "net/virtual", "net/tunnel", "net/core", "net/l3",
    "net/transport", "net/socket", "net/netlink", "net/sched", "net/bpf_xdp", "net/xfrm",
    "net/openvswitch",
)  # fmt: skip
SHIPPED_SOURCES = (
    r"^(drivers/virtio/|drivers/net/virtio_net|drivers/block/virtio|drivers/net/(hyperv|xen)"
    r"|drivers/net/ethernet/(amazon|google)/|fs/(ext4|xfs|overlayfs|jbd2|nfs)/|drivers/nvme/host/"
    r"|drivers/md/dm[-.a-z]*\.c|net/sunrpc/|arch/x86/kvm/|virt/|crypto/|lib/|arch/x86/crypto/"
    r"|net/(core|802|llc|vmw_vsock)/)"
)
# Of the drivers of other architectures only what is in the stack of any sample.
OTHER_SOURCES = (
    r"^(arch|block|crypto|fs|init|io_uring|ipc|kernel|lib|mm|net|security|virt)/"
    r"|^drivers/(clocksource|cpuidle|firmware/(psci|smccc)|irqchip|perf)/"
)
_TAG = pl.struct("area", "subsystem", "role")


def compress(
    kernels: Mapping[str, pl.DataFrame], others: Mapping[str, pl.DataFrame] | None = None
) -> catalogue.Catalogue:
    """The catalogue of these kernel versions ('6.1': its table), with what kernels of other
    architectures add ('6.1-arm64': its table) as of the nearest of these versions."""
    made = _of(kernels, list(kernels))
    if not others:
        return made
    more = _of(others, list(kernels))
    # System calls have the names of x86 (Catalogue.spelled).
    is_call = names.canonical(pl.col("name")).str.contains("^(compat_)?sys_")
    kept = more.functions.filter(pl.col("source").str.contains(OTHER_SOURCES) & ~is_call)
    functions = kept.join(made.functions, on="name", how="anti")
    modules = more.modules.join(made.modules, on="module", how="anti")
    return catalogue.Catalogue(
        pl.concat([made.functions, functions]).sort("source", "name"),
        pl.concat([made.modules, modules]).sort("module", "source", "functions"),
    )


def _of(kernels: Mapping[str, pl.DataFrame], versions: list[str]) -> catalogue.Catalogue:
    tagged = pl.concat(
        _tagged(rows, catalogue.nearest(versions, version)[0]) for version, rows in kernels.items()
    )
    return catalogue.Catalogue(_functions(tagged, versions), _modules(tagged, versions))


def _tagged(rows: pl.DataFrame, version: str) -> pl.DataFrame:
    kept = rows.filter(
        pl.col("src").is_not_null() & ~pl.col("src").str.ends_with(".mod.c")
        & ~pl.col("name").str.starts_with("__pfx_")
    ).select(
        pl.col("src").alias("source"), "module", names.plain(pl.col("name")).alias("symbol"),
        pl.lit(None, pl.String).alias("dso"), pl.lit(f"v{version}").alias("version"),
    )  # fmt: skip
    return rules.Rules(rule_file.shipped()).classify(kept)


def _functions(tagged: pl.DataFrame, versions: list[str]) -> pl.DataFrame:
    in_vmlinux = pl.col("module") == "vmlinux"
    home = pl.when(in_vmlinux).then(catalogue.IN_VMLINUX).otherwise(catalogue.IN_MODULE)
    kept = tagged.filter(_is_shipped() & ~_is_stub())
    return _wide(
        kept.select(pl.col("symbol").alias("name"), "source", "version", home.alias("home")),
        ["source", "name"], versions,
    ).select("name", "source", *(f"v{version}" for version in versions))  # fmt: skip


def _is_shipped() -> pl.Expr:
    # xor, drm, cifs, ...: modules of several tags need their functions.
    by_path = pl.col("rule") >= _first_path_rule()
    in_mixed = _TAG.filter(by_path).n_unique().over("module", "version") > 1
    small = pl.len().over("module", "version") < 1000
    return (
        (pl.col("module") == "vmlinux")
        | pl.col("area").is_in(SHIPPED_AREAS)
        | pl.col("source").str.contains(SHIPPED_SOURCES)
        | (in_mixed & small)
    )


def _is_stub() -> pl.Expr:
    """Trace stubs and Rust: a twelfth of all names, and the symbol rules know them."""
    stubs = [
        i for i, rule in enumerate(rule_file.shipped())
        if rule.symbol and rule.source is None and rule.subsystem in ("tracing", "rust")
    ]  # fmt: skip
    return pl.col("rule").is_in(stubs)


def _modules(tagged: pl.DataFrame, versions: list[str]) -> pl.DataFrame:
    # Trace stubs and the like are in every module and say nothing about it.
    telling = tagged.filter(
        (pl.col("module") != "vmlinux") & (pl.col("rule") >= _first_path_rule())
    )
    per_tag = telling.group_by("module", "version", "area", "subsystem", "role").agg(
        pl.col("source").min(), pl.len().alias("functions").cast(pl.UInt32)
    )
    rows = per_tag.with_columns(
        pl.lit(1).alias("home"), pl.col("functions").max().over("module", "source")
    )
    return _wide(rows, ["module", "source", "functions"], versions)


def _first_path_rule() -> int:
    return next(i for i, rule in enumerate(rule_file.shipped()) if rule.symbol is None)


def _wide(rows: pl.DataFrame, index: list[str], versions: list[str]) -> pl.DataFrame:
    """One row per index, a column per version with its highest `home`."""
    homes = [
        pl.col("home").filter(pl.col("version") == f"v{version}").max()
        .fill_null(catalogue.ABSENT).cast(pl.UInt8).alias(f"v{version}")
        for version in versions
    ]  # fmt: skip
    return rows.group_by(index).agg(homes).sort(index)


def write(made: catalogue.Catalogue, directory: Path) -> None:
    """Write functions.parquet and modules.parquet."""
    _write(made.functions, directory / catalogue.FUNCTIONS.name, "name")
    _write(made.modules, directory / catalogue.MODULES.name, "module")


def _write(rows: pl.DataFrame, path: Path, names_column: str) -> None:
    # Lengths and bytes: front coding takes 6 % off the file, and three times as long to read, each
    # time that something is tagged.
    table = pa.table({
        name: pa.array(rows[name].to_list(), pa.string() if dtype == pl.String else None)
        if dtype == pl.String else pa.array(rows[name].to_numpy())
        for name, dtype in rows.schema.items()
    })  # fmt: skip
    pq.write_table(
        table, path, compression="zstd", compression_level=19, write_statistics=False,
        use_dictionary=[name for name in rows.columns if name != names_column],
        column_encoding={names_column: "DELTA_LENGTH_BYTE_ARRAY"}, row_group_size=1 << 20,
    )  # fmt: skip
