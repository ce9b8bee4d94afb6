"""The tables of docs/breakdowns.md: what a packet or a request costs by class, by direction and by
segment of its way.

    python bench/breakdowns.py STORE udp64 native,docker0-nat [--comm iperf3]

A segment is a few subsystems, by what they are blamed for, as papers on container networks divide
the data path.
"""

import argparse

import polars as pl

import perfduck
from perfduck import MatrixKey
from perfduck_report.numbers import amount, scale

SEGMENTS = {
    "veth": ("veth",),
    "bridge": ("bridge", "br_netfilter"),
    "Open vSwitch": ("openvswitch",),
    "macvlan, ipvlan": ("macvlan", "ipvlan"),
    "eBPF, tc": ("bpf", "bpf_helpers", "bpf_maps", "tc_filter", "tc_action", "xdp_bpf"),
    "conntrack": ("conntrack",),
    "netfilter, NAT": ("netfilter_core", "iptables", "nftables", "nat", "ipvs", "ipset"),
    "tunnel": ("vxlan", "geneve", "ip_tunnel", "udp_tunnel", "wireguard"),
    "routing": ("routing",),
    "qdisc": ("qdisc",),
}
REST = "the rest"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store")
    parser.add_argument("workload")
    parser.add_argument("scenarios")
    parser.add_argument("--comm", action="append")
    asked = parser.parse_args()
    scenarios = asked.scenarios.split(",")
    with perfduck.open(asked.store) as store:
        keys: tuple[MatrixKey, ...] = ("class", "direction", "subsystem")
        for by in keys:
            compared = store.compare(
                f"workload={asked.workload}", "scenario", order=scenarios, by=by, comm=asked.comm
            )
            wide = compared.frame.pivot("group", index=by, values="value")
            print(table(segments(wide) if by == "subsystem" else wide, compared.unit, scenarios))


def segments(costs: pl.DataFrame) -> pl.DataFrame:
    """[subsystem, a column per group], the total first, by segment."""
    names = {name: segment for segment, parts in SEGMENTS.items() for name in parts}
    names["total"] = "total"
    named = costs.with_columns(pl.col("subsystem").replace_strict(names, default=REST))
    order = pl.Enum(["total", *SEGMENTS, REST])
    summed = named.group_by("subsystem").agg(pl.all().sum())
    return summed.sort(pl.col("subsystem").cast(order))


def table(costs: pl.DataFrame, unit: str, scenarios: list[str]) -> str:
    """Markdown: the total, then each row with its share."""
    by = scale(unit, min(costs.row(0)[1:]))
    costs = costs.with_columns(pl.col(scenarios) * by.factor)
    totals = costs.row(0)[1:]
    lines = [f"| {by.unit} | {' | '.join(scenarios)} |", f"|---|{'---:|' * len(scenarios)}"]
    for name, *values in costs.iter_rows():
        cells = [
            amount(value)
            if name == "total" or not value
            else f"{amount(value)} ({100 * value / total:.1f} %)"
            for value, total in zip(values, totals, strict=True)
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
