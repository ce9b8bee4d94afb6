insert into leaf_offset by name
select
    $profile_id::bigint as profile_id,
    event,
    symbol_id,
    "offset",
    sum(count)::bigint as count,
    sum(weight) as weight,
from incoming
group by event, symbol_id, "offset"
order by event, symbol_id, "offset"
