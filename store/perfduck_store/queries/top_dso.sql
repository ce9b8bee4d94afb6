-- Counted once per stack, whatever its number of frames in the same dso.
, frames as (
    select
        chosen.stack_id,
        symbol.dso as dso,
        bool_or(stack_symbol.is_leaf) as is_leaf,
        bool_or(stack_blame.symbol_id = stack_symbol.symbol_id) as is_blamed,
        any_value(chosen.weight) as weight,
    from chosen
    join stack_blame on stack_blame.stack_id = chosen.stack_id
    join stack_symbol on stack_symbol.stack_id = chosen.stack_id
    join symbol on symbol.symbol_id = stack_symbol.symbol_id
    group by chosen.stack_id, symbol.dso
)
select
    dso,
    sum(case when is_leaf then weight else 0 end) as self,
    sum(weight) as total,
    sum(case when is_blamed then weight else 0 end) as blamed,
from frames
group by dso
order by self desc, total desc, dso
limit $limit
