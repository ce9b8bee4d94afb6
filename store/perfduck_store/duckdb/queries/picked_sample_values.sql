-- As picked_values, of what only samples know. A null value: the recording does not say.
with counted as (
    select
        case $key when 'pid' then coalesce(sample.pid, sample.tid) when 'cpu' then sample.cpu end
            as number,
        sample.profile_id,
        sum(coalesce(sample.period, sample.count))::double as weight,
        stack_blame.context = 'idle' as is_idle
    from sample
    join stack_blame on stack_blame.stack_id = sample.stack_id
    where is_chosen(sample.profile_id)
        and array_contains(chosen('events'), sample.event)
    group by all
)
select
    number::string as value,
    run_of(profile_id) as run,
    weight,
    is_idle
from counted
order by weight desc, value nulls last, run, is_idle
