insert into edge
select $profile_id::bigint, event, caller_id, callee_id, sum(count)::bigint, sum(period)::bigint
from incoming
group by event, caller_id, callee_id
order by event, caller_id, callee_id
