-- No filter of stacks: all that is sampled.
create or replace temp view passed_sample as
select *
from sampled
