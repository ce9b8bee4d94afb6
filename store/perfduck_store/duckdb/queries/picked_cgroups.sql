-- As picked_values, of control groups, which need no symbols. A null value: none was recorded.
select
    sampled.cgroup as value,
    sampled.run,
    sum(sampled.weight) as weight,
    stack_blame.context = 'idle' as is_idle
from sampled
join stack_blame on stack_blame.stack_id = sampled.stack_id
group by all
order by weight desc, value nulls last, sampled.run, is_idle
