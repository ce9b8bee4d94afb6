-- The weight without idle of each command in some picked runs, heaviest first.
select picked.comm, sum(picked.weight) as weight
from picked
join stack_blame on stack_blame.stack_id = picked.stack_id
where stack_blame.context <> 'idle' and array_contains($runs, picked.run)
group by picked.comm
order by weight desc, picked.comm
