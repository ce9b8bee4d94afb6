-- What a function called: the frame below it in a stack, recursion counted once; where OProfile kept
-- arcs and no stacks, its arcs, which count a recursive function once a call.
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
    select distinct callee.symbol_id, callee.stack_id
    from frames as caller
    join asked on asked.symbol_id = caller.symbol_id
    join frames as callee on callee.stack_id = caller.stack_id and caller.depth = callee.depth + 1
),
arcs as (
    select calls.symbol_id, chosen.weight
    from calls
    join chosen on chosen.stack_id = calls.stack_id
    union all
    select edge.callee_id, coalesce(edge.period, edge.count)
    from edge
    join asked on asked.symbol_id = edge.caller_id
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
