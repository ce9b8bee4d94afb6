-- The call chains of what is picked, idle included, and what they are charged to.
select stack.stack_id, stack.symbol_ids, stack_blame.subsystem as blamed, stack_blame.context
from stack
join stack_blame on stack_blame.stack_id = stack.stack_id
where stack.stack_id in (select stack_id from picked)
order by stack.stack_id
