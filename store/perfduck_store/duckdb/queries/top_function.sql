-- Addresses without a name are one row for each binary: in a stack they are counted once.
with chosen_stack as (
    select *
    from stack_weight
),
nameless as (
    select symbol_id, min(symbol_id) over (partition by dso) as first_id
    from symbol
    where name = '[unknown]'
),
frames as (
    select
        stack_symbol.symbol_id,
        sum(case when stack_symbol.is_leaf then chosen_stack.weight else 0 end) as self,
        sum(chosen_stack.weight) as total
    from chosen_stack
    join stack_symbol on stack_symbol.stack_id = chosen_stack.stack_id
    anti join nameless on nameless.symbol_id = stack_symbol.symbol_id
    group by stack_symbol.symbol_id
    union all
    select
        in_binary.first_id,
        sum(case when in_binary.is_leaf then in_binary.weight else 0 end),
        sum(in_binary.weight)
    from (
        select
            nameless.first_id,
            bool_or(stack_symbol.is_leaf) as is_leaf,
            any_value(chosen_stack.weight) as weight
        from chosen_stack
        join stack_symbol on stack_symbol.stack_id = chosen_stack.stack_id
        join nameless on nameless.symbol_id = stack_symbol.symbol_id
        group by chosen_stack.stack_id, nameless.first_id
    ) as in_binary
    group by in_binary.first_id
),
charges as (
    select
        coalesce(nameless.first_id, stack_blame.symbol_id) as symbol_id,
        sum(chosen_stack.weight) as blamed
    from chosen_stack
    join stack_blame on stack_blame.stack_id = chosen_stack.stack_id
    left join nameless on nameless.symbol_id = stack_blame.symbol_id
    group by all
)
select
    shown_name(symbol.name, symbol.dso) as function,
    symbol.dso,
    symbol.subsystem,
    frames.self,
    frames.total,
    coalesce(charges.blamed, 0) as blamed,
    count(*) over () as row_count
from frames
join symbol on symbol.symbol_id = frames.symbol_id
left join charges on charges.symbol_id = frames.symbol_id
order by self desc, total desc, function, dso
limit $limit
