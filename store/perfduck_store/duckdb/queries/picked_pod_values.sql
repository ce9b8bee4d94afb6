-- As picked_values, of pods.
select picked.pod as value, picked.run, sum(picked.weight) as weight
from picked
join stack_blame on stack_blame.stack_id = picked.stack_id
where stack_blame.context <> 'idle'
group by all
order by weight desc, value
