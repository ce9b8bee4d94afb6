-- self: tag of the leaf. total: stacks with a frame of the subsystem, each once. blamed: the charge.
-- Code that nobody knows may be of several areas: the first by name.
with chosen_stack as (
    select *
    from stack_weight
),
tags as (
    select
        chosen_stack.stack_id,
        symbol.subsystem,
        min(symbol.area) as area,
        bool_or(stack_symbol.is_leaf) as is_leaf,
        any_value(chosen_stack.weight) as weight
    from chosen_stack
    join stack_symbol on stack_symbol.stack_id = chosen_stack.stack_id
    join symbol on symbol.symbol_id = stack_symbol.symbol_id
    group by chosen_stack.stack_id, symbol.subsystem
),
charges as (
    select stack_blame.subsystem, sum(chosen_stack.weight) as blamed
    from chosen_stack
    join stack_blame on stack_blame.stack_id = chosen_stack.stack_id
    group by stack_blame.subsystem
)
select
    tags.subsystem,
    min(tags.area) as area,
    sum(case when tags.is_leaf then tags.weight else 0 end) as self,
    sum(tags.weight) as total,
    coalesce(any_value(charges.blamed), 0) as blamed,
    count(*) over () as row_count
from tags
left join charges on charges.subsystem = tags.subsystem
group by tags.subsystem
order by blamed desc, self desc, tags.subsystem
limit $limit
