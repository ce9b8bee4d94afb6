-- How many different attached iptables rules need neither conntrack nor NAT.
select count(*)
from (
    select distinct "table", chain, number, rule
    from iptables_rule
    where list_contains($profiles::bigint[], profile_id) and needs is null
)
