-- What a comparison wants to know of functions.
select symbol_id, name, dso, canonical, area, subsystem, role, class
from symbol
order by symbol_id
