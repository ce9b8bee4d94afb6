-- The call chains of what is picked, idle included, what they are blamed on, and which way their
-- packet goes, if any.
select
    stack.stack_id,
    stack.symbol_ids,
    stack_blame.subsystem as blamed,
    stack_blame.context,
    nullif(stack_blame.direction, 'none') as direction
from stack
join stack_blame on stack_blame.stack_id = stack.stack_id
where stack.stack_id in (select stack_id from picked)
order by stack.stack_id
