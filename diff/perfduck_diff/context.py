"""Lines beside a growth: which attached rules need conntrack or NAT, and how many packets met them.

docker0-nat: -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE needs nat: 89,974 packets
docker0-nat: conntrack had 3,721 entries
"""

from perfduck_store.store import Store

_RULES = """
select needs, "table", chain, number, rule, sum(packets)::bigint as packets
from iptables_rule
where profile_id in (select unnest($profiles::bigint[]))
    and needs is not null
group by needs, "table", chain, number, rule
order by packets desc nulls last, "table", chain, number
limit $limit
"""
_OTHERS = """
select count(*)::bigint, sum(packets)::bigint
from (
    select distinct "table", chain, number, rule, needs, any_value(packets) as packets
    from iptables_rule
    where profile_id in (select unnest($profiles::bigint[]))
    group by all
)
where needs is null
"""
_ENTRIES = """
select max(value)::bigint
from conntrack_stat
where profile_id in (select unnest($profiles::bigint[]))
    and counter = 'entries'
"""


def lines(store: Store, name: str, profiles: list[int], limit: int = 6) -> tuple[str, ...]:
    """What the attachments of these profiles say, most packets first."""
    keys = {"profiles": profiles}
    found = [
        f"{name}: {rule} needs {needs}{_counted(packets)}"
        for needs, _, _, _, rule, packets in store.rows(_RULES, keys | {"limit": limit})
    ]
    [(others, _)] = store.rows(_OTHERS, keys)
    if others:
        found.append(f"{name}: {others} more iptables rules that need neither conntrack nor nat")
    [(entries,)] = store.rows(_ENTRIES, keys)
    if entries is not None:
        found.append(f"{name}: conntrack had {entries:,} entries after the run")
    return tuple(found)


def _counted(packets: int | None) -> str:
    return "" if packets is None else f": {packets:,} packets"
