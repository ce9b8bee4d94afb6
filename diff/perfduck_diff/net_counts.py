"""How often packets passed the stations of the network stack, per unit of work: what attached
counters say (perfduck/net_counters.py), and samples cannot.

    counted per packet: __netif_receive_skb_core 3.01, ip_rcv 2.00 (a 1.00, b 1.00), ip_forward
    1.00 (a); received by devices: a/docker0 1.00, a/vethp1 1.00, b/eth0 1.00

Each counter is raised by the function that it is called by here: `processed` of softnet_stat by
__netif_receive_skb_core, on the whole machine, InReceives of snmp by ip_rcv, ForwDatagrams by
ip_forward, OutTransmits (Linux 6.6 and later) by ip_output; what GRO has merged is one packet.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from perfduck_model.words import listed
from perfduck_store.protocol import Store
from perfduck_store.records import NetCount, Profile

_STATIONS = {
    "processed": "__netif_receive_skb_core",
    "IpInReceives": "ip_rcv",
    "Ip6InReceives": "ipv6_rcv",
    "IpForwDatagrams": "ip_forward",
    "Ip6OutForwDatagrams": "ip6_forward",
    "IpOutTransmits": "ip_output",
    "Ip6OutTransmits": "ip6_output",
}
_DEVICES = "rx_packets"
_LEAST = 0.005  # per unit of work: 0.01 as it is shown
_PLACES = 4  # namespaces that a line names
_MOST_DEVICES = 8
NOTHING = (
    "how often a packet passes a station is not known: samples have no counts, and no counters of"
    " the network stack are attached (perfduck record attaches them; --attach net=FILE)"
)


def counted(store: Store, profiles: Iterable[int]) -> str:
    """Of these profiles, in words; '' where none has such counters."""
    known = {each.profile_id: each for each in store.profiles.of(profiles)}
    counts = store.attachments.net_counts(known)
    runs = [known[key] for key in {each.profile_id: None for each in counts}]
    amount, unit = _amount(runs)
    if not counts or not amount:
        return ""
    stations = list(_stations(counts, amount))
    devices = _per_place(
        ((f"{each.netns}/{each.device}".lstrip("/"), each.value)
         for each in counts if each.counter == _DEVICES and each.file == "dev"), amount,
    )  # fmt: skip
    parts = [
        ", ".join(stations),
        f"received by devices: {listed(devices, _MOST_DEVICES)}" if devices else "",
    ]
    said = "; ".join(filter(None, parts)) or f"less than {_LEAST:g} of anything"
    return f"counted per {unit}{_which(counts, runs, known)}: {said}"


def _amount(runs: Sequence[Profile]) -> tuple[float, str]:
    """What counts are divided by: the work of the runs, else their seconds."""
    if len({each.work_unit for each in runs}) == 1 and all(each.work for each in runs):
        return sum(each.work or 0.0 for each in runs), runs[0].work_unit or "unit"
    return sum(each.duration_s or 0.0 for each in runs), "second"


def _which(counts: list[NetCount], runs: list[Profile], known: dict[int, Profile]) -> str:
    """Of which runs, and from when on."""
    some = f" of {len(runs)} of {len(known)} runs" if len(runs) < len(known) else ""
    boot = " since devices and namespaces were made, as nothing was read before the run"
    return some + (boot if any(each.is_since_boot for each in counts) else "")


def _stations(counts: list[NetCount], amount: float) -> Iterator[str]:
    for counter, station in _STATIONS.items():
        of_counter = [each for each in counts if each.counter == counter]
        total = sum(each.value for each in of_counter)
        if total >= _LEAST * amount:
            places = _per_place(((each.netns, each.value) for each in of_counter), amount)
            shown = (
                f" ({listed(places, _PLACES)})" if any(each.netns for each in of_counter) else ""
            )
            yield f"{station} {total / amount:,.2f}{shown}"


def _per_place(values: Iterable[tuple[str, int]], amount: float) -> list[str]:
    """The places where a counter counted, those that counted most first."""
    sums: dict[str, int] = defaultdict(int)
    for place, value in values:
        sums[place] += value
    heaviest = sorted(sums, key=lambda place: (-sums[place], place))
    return [
        f"{place or 'here'} {sums[place] / amount:,.2f}"
        for place in heaviest
        if sums[place] >= _LEAST * amount
    ]
