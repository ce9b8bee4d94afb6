-- Stacks of `incoming` that the store has.
select stack_id
from stack
semi join incoming using (stack_id)
