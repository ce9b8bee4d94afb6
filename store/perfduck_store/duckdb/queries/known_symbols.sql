-- Symbols of `incoming` that the store has, with their tags.
select *
from symbol
semi join incoming using (symbol_id)
