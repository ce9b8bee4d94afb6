-- Weight and hits of what is picked by run and stack, idle included: what reads it adds up by stack,
-- and knows which stacks are idle. Rows may repeat.
select run, stack_id, weight, hits
from picked
