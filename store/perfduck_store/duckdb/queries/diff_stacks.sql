-- The stacks of what is picked without idle, who is charged for them, and their direction.
with used as (
    select distinct stack_id
    from picked
)
select stack.stack_id, stack.symbol_ids, stack_blame.subsystem, stack_blame.direction
from used
join stack on stack.stack_id = used.stack_id
join stack_blame on stack_blame.stack_id = used.stack_id
where stack_blame.context <> 'idle'
order by stack.stack_id
