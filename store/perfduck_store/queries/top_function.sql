, frames as (
    select
        stack_symbol.symbol_id,
        sum(case when stack_symbol.is_leaf then chosen.weight else 0 end) as self,
        sum(chosen.weight) as total,
    from chosen
    join stack_symbol on stack_symbol.stack_id = chosen.stack_id
    group by stack_symbol.symbol_id
),
charges as (
    select stack_blame.symbol_id, sum(chosen.weight) as blamed
    from chosen
    join stack_blame on stack_blame.stack_id = chosen.stack_id
    group by stack_blame.symbol_id
)
select
    case when symbol.address is null then symbol.name else printf('0x%x', symbol.address) end
        as function,
    symbol.dso,
    symbol.subsystem,
    frames.self,
    frames.total,
    coalesce(charges.blamed, 0) as blamed,
from frames
join symbol on symbol.symbol_id = frames.symbol_id
left join charges on charges.symbol_id = frames.symbol_id
order by self desc, total desc, function, dso
limit $limit
