-- Who called a function, or with $callees what it called: the frame beside it in a stack, recursion
-- counted once; where OProfile kept arcs and no stacks, its arcs, which count a recursive function
-- once a call.
, asked as (
    select symbol_id from symbol where name = $function or canonical = $function
),
frames as (
    select
        stack.stack_id,
        unnest(stack.symbol_ids) as symbol_id,
        generate_subscripts(stack.symbol_ids, 1) as depth,
    from stack
    where stack.stack_id in (
        select stack_symbol.stack_id
        from stack_symbol
        join asked on asked.symbol_id = stack_symbol.symbol_id
    )
),
calls as (
    select distinct other.symbol_id, other.stack_id
    from frames as own
    join asked on asked.symbol_id = own.symbol_id
    join frames as other on other.stack_id = own.stack_id
        and other.depth = own.depth + case when $callees then -1 else 1 end
),
arcs as (
    select calls.symbol_id, chosen.weight
    from calls
    join chosen on chosen.stack_id = calls.stack_id
    union all
    select
        case when $callees then edge.callee_id else edge.caller_id end,
        coalesce(edge.period, edge.count),
    from edge
    join asked
        on asked.symbol_id = case when $callees then edge.caller_id else edge.callee_id end
    where edge.profile_id in (select unnest($profiles::bigint[]))
        and edge.event = $event
)
select
    case when symbol.address is null then symbol.name else printf('0x%x', symbol.address) end
        as function,
    symbol.dso,
    symbol.subsystem,
    sum(arcs.weight)::double as total,
    100 * sum(arcs.weight)::double / sum(sum(arcs.weight)) over () as share,
from arcs
join symbol on symbol.symbol_id = arcs.symbol_id
group by symbol.symbol_id, symbol.name, symbol.address, symbol.dso, symbol.subsystem
order by total desc, function, dso
limit $limit
