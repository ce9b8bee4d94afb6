-- Whether a function of this name, as a recording or as an answer shows it, is in the store.
select 1
from symbol
where name = $function or canonical = $function or shown_name(name, dso) = $function
limit 1
