-- As picked_values, of what only samples know. A null value: the recording does not say.
with counted as (
    select
        case $key when 'pid' then coalesce(sample.pid, sample.tid) when 'cpu' then sample.cpu end
            as number,
        sample.profile_id,
        sum(coalesce(sample.period, sample.count))::double as weight,
        stack_blame.context = 'idle' as is_idle,
    from sample
    join stack_blame on stack_blame.stack_id = sample.stack_id
    where list_contains(getvariable('profiles')::bigint[], sample.profile_id)
        and list_contains(getvariable('events')::varchar[], sample.event)
    group by all
)
select
    number::varchar as value,
    list_position(getvariable('profiles')::bigint[], profile_id) - 1 as run,
    weight,
    is_idle,
from counted
order by weight desc, value, run, is_idle
