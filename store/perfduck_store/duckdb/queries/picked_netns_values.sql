-- As picked_values, of network namespaces, which need no symbols. A null value: none was recorded. In
-- a recording that has some, threads that were met before they said theirs have '[no netns]'.
with counted as (
    select
        sampled.netns,
        sampled.run,
        sum(sampled.weight) as weight,
        stack_blame.context = 'idle' as is_idle
    from sampled
    join stack_blame on stack_blame.stack_id = sampled.stack_id
    group by all
)
select
    case
        when netns is not null then netns::string
        when count(netns) over (partition by run) > 0 then '[no netns]'
    end as value,
    run,
    weight,
    is_idle
from counted
order by weight desc, value nulls last, run, is_idle
