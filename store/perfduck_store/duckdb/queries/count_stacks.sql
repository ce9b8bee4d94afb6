-- How many distinct call chains there are.
select count(*)
from stack
