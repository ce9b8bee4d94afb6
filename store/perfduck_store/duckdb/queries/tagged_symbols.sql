-- What a comparison wants to know of functions.
select symbol_id, name, dso, canonical, area, subsystem, role
from symbol
order by symbol_id
