-- As picked_values, of what only samples know. A null value: the recording does not say.
select
    case $key when 'pid' then coalesce(pid, tid)::varchar when 'cpu' then cpu::varchar else cgroup end
        as value,
    list_position(getvariable('profiles')::bigint[], sample.profile_id) - 1 as run,
    sum(coalesce(sample.period, sample.count))::double as weight,
from sample
join stack_blame on stack_blame.stack_id = sample.stack_id
where list_contains(getvariable('profiles')::bigint[], sample.profile_id)
    and list_contains(getvariable('events')::varchar[], sample.event)
    and stack_blame.context <> 'idle'
group by all
order by weight desc, value
