"""Lines beside a growth: which attached rules need conntrack or NAT, and how many packets met them.

docker0-nat: -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE needs nat: 89,974 packets
docker0-nat: conntrack had 3,721 entries
"""

from perfduck_store.store import Store, named


def lines(store: Store, name: str, profiles: list[int], limit: int = 6) -> tuple[str, ...]:
    """What the attachments of these profiles say, most packets first."""
    keys = {"profiles": profiles}
    found = [
        f"{name}: {rule} needs {needs}{_counted(least, most, files)}"
        for needs, rule, least, most, files in store.rows(
            named("rules_met"), keys | {"limit": limit}
        )
    ]
    [(others,)] = store.rows(named("rules_other"), keys)
    if others:
        more = "1 more iptables rule needs" if others == 1 else f"{others} more iptables rules need"
        found.append(f"{name}: {more} neither conntrack nor nat")
    [(entries,)] = store.rows(named("conntrack_entries"), keys)
    if entries is not None:
        found.append(f"{name}: conntrack had {entries:,} entries after the run")
    return tuple(found)


def _counted(least: int | None, most: int | None, files: int) -> str:
    """Packets of a rule. Counters run on from file to file, so they are no terms of a sum."""
    if least is None or most is None:
        return ""
    if least == most:
        return f": {most:,} packet{'' if most == 1 else 's'}"
    return f": {least:,} to {most:,} packets in {files} files"
