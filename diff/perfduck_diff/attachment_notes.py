"""Lines beside a growth: which attached rules need conntrack or NAT, and how many packets met them.

docker0-nat: -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE needs nat: 89,974 packets
docker0-nat: conntrack had 3,721 entries
"""

from perfduck_store.protocol import Store
from perfduck_store.records import MetRule


def lines(store: Store, name: str, profiles: list[int], limit: int = 6) -> tuple[str, ...]:
    """What the attachments of these profiles say, most packets first."""
    found = [
        f"{name}: {met.rule} needs {met.needs}{_counted(met)}"
        for met in store.attachments.met_rules(profiles, limit)
    ]
    if others := store.attachments.other_rules(profiles):
        more = "1 more iptables rule needs" if others == 1 else f"{others} more iptables rules need"
        found.append(f"{name}: {more} neither conntrack nor nat")
    entries = store.attachments.conntrack_entries(profiles)
    if entries is not None:
        found.append(f"{name}: conntrack had {entries:,} entries after the run")
    return tuple(found)


def _counted(met: MetRule) -> str:
    """Packets of a rule. Counters run on from file to file, so they are no terms of a sum."""
    if met.least is None or met.most is None:
        return ""
    if met.least == met.most:
        return f": {met.most:,} packet{'' if met.most == 1 else 's'}"
    return f": {met.least:,} to {met.most:,} packets in {met.files} files"
