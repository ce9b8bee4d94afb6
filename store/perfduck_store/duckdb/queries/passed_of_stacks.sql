create or replace temp view passed_sample as
select sampled.*
from sampled
semi join picked_stack on picked_stack.stack_id = sampled.stack_id
