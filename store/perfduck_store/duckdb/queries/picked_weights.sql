-- What is picked of each run: its weight and hits without idle, and the weight of idle.
select
    picked.run,
    coalesce(sum(picked.weight) filter (where stack_blame.context <> 'idle'), 0) as busy,
    coalesce(sum(picked.weight) filter (where stack_blame.context = 'idle'), 0) as idle,
    coalesce(sum(picked.hits) filter (where stack_blame.context <> 'idle'), 0)::bigint as hits
from picked
join stack_blame on stack_blame.stack_id = picked.stack_id
group by picked.run
order by picked.run
