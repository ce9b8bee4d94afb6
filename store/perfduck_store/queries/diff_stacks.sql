-- Chains and who is charged for them: those asked for, or all.
select stack.stack_id, stack.symbol_ids, stack_blame.subsystem
from stack
join stack_blame on stack_blame.stack_id = stack.stack_id
where $stacks::bigint[] is null or stack.stack_id in (select unnest($stacks::bigint[]))
