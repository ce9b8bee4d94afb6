insert into leaf_offset
select $profile_id::bigint, event, symbol_id, "offset", sum(count)::bigint, sum(weight)
from incoming
group by event, symbol_id, "offset"
order by event, symbol_id, "offset"
