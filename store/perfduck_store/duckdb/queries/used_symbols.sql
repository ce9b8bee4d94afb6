-- The symbols of a profile's stacks, and whether each has a name.
select distinct symbol.symbol_id, symbol.name != '[unknown]' as is_named
from rollup
join stack_symbol on stack_symbol.stack_id = rollup.stack_id
join symbol on symbol.symbol_id = stack_symbol.symbol_id
where rollup.profile_id = $profile_id
