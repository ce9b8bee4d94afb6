insert into edge by name
select
    $profile_id::bigint as profile_id,
    event,
    caller_id,
    callee_id,
    sum(count)::bigint as count,
    sum(period)::bigint as period,
from incoming
group by event, caller_id, callee_id
order by event, caller_id, callee_id
