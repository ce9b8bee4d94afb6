create or replace temp view picked as
from sampled
semi join picked_stack on picked_stack.stack_id = sampled.stack_id
