-- As picked_values, of control groups, which need no symbols. A null value: none was recorded.
select sampled.cgroup as value, sampled.run, sum(sampled.weight) as weight
from sampled
join stack_blame on stack_blame.stack_id = sampled.stack_id
where stack_blame.context <> 'idle'
group by all
order by weight desc, value
