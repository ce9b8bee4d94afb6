-- The most entries that an attached conntrack file counted.
select max(value)::bigint
from conntrack_stat
where list_contains($profiles::bigint[], profile_id) and counter = 'entries'
