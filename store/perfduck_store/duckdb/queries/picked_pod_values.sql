-- As picked_values, of pods.
select
    picked.pod as value,
    picked.run,
    sum(picked.weight) as weight,
    stack_blame.context = 'idle' as is_idle
from picked
join stack_blame on stack_blame.stack_id = picked.stack_id
group by all
order by weight desc, value nulls last, picked.run, is_idle
