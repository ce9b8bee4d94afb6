-- All functions with their tags.
select *
from symbol
order by symbol_id
