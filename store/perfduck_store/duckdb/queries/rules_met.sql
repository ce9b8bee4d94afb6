-- Attached iptables rules that need conntrack or NAT, and the least and most packets that the files
-- counted. A file that is attached to several profiles is one file: its counters are not added up.
with file as (
    select min(profile_id) as profile_id
    from attachment
    where kind = 'iptables' and list_contains($profiles::bigint[], profile_id)
    group by text
)
select
    iptables_rule.needs,
    iptables_rule.rule,
    min(iptables_rule.packets) as least,
    max(iptables_rule.packets) as most,
    count(*) as files,
from iptables_rule
join file on file.profile_id = iptables_rule.profile_id
where iptables_rule.needs is not null
group by
    iptables_rule.needs, iptables_rule."table", iptables_rule.chain, iptables_rule.number,
    iptables_rule.rule
order by most desc nulls last, iptables_rule."table", iptables_rule.chain, iptables_rule.number
limit $limit
