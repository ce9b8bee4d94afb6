-- No answer about pods: all that passed the filters of samples and of stacks.
create or replace temp view picked as
select *
from passed_sample
