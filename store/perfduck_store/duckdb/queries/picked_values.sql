-- What there is to filter by: $key's values in what is picked, with their weight, that of idle apart,
-- heaviest first.
select
    case $key when 'comm' then sampled.comm when 'dso' then symbol.dso else stack_blame.subsystem end
        as value,
    sampled.run,
    sum(sampled.weight) as weight,
    stack_blame.context = 'idle' as is_idle
from sampled
join stack_blame on stack_blame.stack_id = sampled.stack_id
join stack_symbol on stack_symbol.stack_id = sampled.stack_id and stack_symbol.is_leaf
join symbol on symbol.symbol_id = stack_symbol.symbol_id
group by all
order by weight desc, value nulls last, sampled.run, is_idle
