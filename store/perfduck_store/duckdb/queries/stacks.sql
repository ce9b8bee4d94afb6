-- All distinct call chains.
select *
from stack
order by stack_id
