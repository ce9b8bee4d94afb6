insert into leaf_offset
select $profile_id::bigint, event, symbol_id, "offset", sum(count)::bigint, sum(weight)
from staged_leaf_offset
group by event, symbol_id, "offset"
order by event, symbol_id, "offset";

insert into edge
select $profile_id::bigint, event, caller_id, callee_id, sum(count)::bigint, sum(period)::bigint
from staged_edge
group by event, caller_id, callee_id
order by event, caller_id, callee_id;

insert into skipped
select $profile_id::bigint, line, text, reason
from staged_skipped
order by line
