-- self: class of the leaf. total: stacks with a frame of the class, each once. blamed: class of the
-- frame that is charged.
with chosen as (
    from stack_weights(null::integer[])
),
frames as (
    select
        chosen.stack_id,
        symbol.class,
        bool_or(stack_symbol.is_leaf) as is_leaf,
        bool_or(stack_blame.symbol_id = stack_symbol.symbol_id) as is_blamed,
        any_value(chosen.weight) as weight,
    from chosen
    join stack_blame on stack_blame.stack_id = chosen.stack_id
    join stack_symbol on stack_symbol.stack_id = chosen.stack_id
    join symbol on symbol.symbol_id = stack_symbol.symbol_id
    group by chosen.stack_id, symbol.class
)
select
    class,
    sum(case when is_leaf then weight else 0 end) as self,
    sum(weight) as total,
    sum(case when is_blamed then weight else 0 end) as blamed,
    count(*) over () as row_count,
from frames
group by class
order by self desc, total desc, class
limit $limit
