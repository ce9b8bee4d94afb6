-- Who called a function, or with $callees what it called: the frame beside it in a stack, recursion
-- counted once; where OProfile kept arcs and no stacks, its arcs, which count a recursive function
-- once a call. `once`: all rows together, a stack counted once though a recursive function has two
-- callers in it.
with chosen_stack as (
    select *
    from stack_weight
),
asked as (
    select symbol_id
    from symbol
    where name = $function or canonical = $function or shown_name(name, dso) = $function
),
asked_stack as (
    select stack_id, symbol_ids
    from stack
    where stack_id in (
        select stack_symbol.stack_id
        from stack_symbol
        join asked on asked.symbol_id = stack_symbol.symbol_id
    )
),
frames as (
    select asked_stack.stack_id, placed.symbol_id, placed.place as depth
    from asked_stack, lateral places_of(asked_stack.symbol_ids) as placed
),
calls as (
    select distinct
        shown_name(symbol.name, symbol.dso) as function,
        symbol.dso,
        symbol.subsystem,
        case when symbol.name = '[unknown]' then 0 else other.symbol_id end as symbol_id,
        other.stack_id
    from frames as own
    join asked on asked.symbol_id = own.symbol_id
    join frames as other on other.stack_id = own.stack_id
        and other.depth = own.depth + case when $callees then -1 else 1 end
    join symbol on symbol.symbol_id = other.symbol_id
),
arcs as (
    select calls.*, chosen_stack.weight, chosen_stack.weight / count(*) over (partition by calls.stack_id) as part
    from calls
    join chosen_stack on chosen_stack.stack_id = calls.stack_id
    union all
    select
        shown_name(symbol.name, symbol.dso),
        symbol.dso,
        symbol.subsystem,
        case when symbol.name = '[unknown]' then 0 else symbol.symbol_id end,
        null,
        coalesce(edge.period, edge.count),
        coalesce(edge.period, edge.count)
    from edge
    join asked
        on asked.symbol_id = case when $callees then edge.caller_id else edge.callee_id end
    join symbol
        on symbol.symbol_id = case when $callees then edge.callee_id else edge.caller_id end
    where is_chosen(edge.profile_id)
        and array_contains(chosen('events'), edge.event)
)
select
    function,
    dso,
    subsystem,
    sum(weight)::double as total,
    100 * sum(weight)::double / sum(sum(weight)) over () as share,
    sum(sum(part)) over ()::double as once,
    count(*) over () as row_count
from arcs
group by symbol_id, function, dso, subsystem
order by total desc, function, dso
limit $limit
