-- By dso, with $by = 'source' by source file (the dso of what has none), or with 'class' by class.
-- Counted once per stack, regardless of its number of frames in the same place.
with chosen_stack as (
    select *
    from stack_weight
),
frames as (
    select
        chosen_stack.stack_id,
        case $by
            when 'source' then coalesce(symbol.source_file, symbol.dso)
            when 'class' then symbol.class
            else symbol.dso
        end as place,
        bool_or(stack_symbol.is_leaf) as is_leaf,
        bool_or(stack_blame.symbol_id = stack_symbol.symbol_id) as is_blamed,
        any_value(chosen_stack.weight) as weight
    from chosen_stack
    join stack_blame on stack_blame.stack_id = chosen_stack.stack_id
    join stack_symbol on stack_symbol.stack_id = chosen_stack.stack_id
    join symbol on symbol.symbol_id = stack_symbol.symbol_id
    group by chosen_stack.stack_id, place
)
select
    place,
    sum(case when is_leaf then weight else 0 end) as self,
    sum(weight) as total,
    sum(case when is_blamed then weight else 0 end) as blamed,
    count(*) over () as row_count
from frames
group by place
order by self desc, total desc, place
limit $limit
