-- Whole call chains, root first; chains that differ in addresses without a name are one. ';' in a
-- name becomes ':'. Names are joined for the heaviest alone, and for chains with such addresses.
with chosen as (
    from stack_weights(null::integer[])
),
nameless as (
    select distinct stack_symbol.stack_id
    from stack_symbol
    join symbol on symbol.symbol_id = stack_symbol.symbol_id
    where symbol.name = '[unknown]'
),
every_named as (
    select chosen.stack_id, chosen.weight
    from chosen
    anti join nameless on nameless.stack_id = chosen.stack_id
),
named as (
    from every_named
    order by weight desc, stack_id
    limit $limit
),
candidates as (
    from named
    union all
    select chosen.stack_id, chosen.weight
    from chosen
    semi join nameless on nameless.stack_id = chosen.stack_id
),
frames as (
    select
        candidates.stack_id,
        candidates.weight,
        unnest(stack.symbol_ids) as symbol_id,
        generate_subscripts(stack.symbol_ids, 1) as depth,
    from candidates
    join stack on stack.stack_id = candidates.stack_id
),
chains as (
    select
        string_agg(
            replace(shown_name(symbol.name, symbol.dso), ';', ':'), ';' order by frames.depth desc
        ) as path,
        any_value(stack_blame.subsystem) as subsystem,
        any_value(frames.weight) as weight,
        case when bool_or(symbol.name = '[unknown]') then 0 else frames.stack_id end as chain_id,
    from frames
    join symbol on symbol.symbol_id = frames.symbol_id
    join stack_blame on stack_blame.stack_id = frames.stack_id
    group by frames.stack_id
)
select
    path,
    subsystem,
    sum(weight) as self,
    sum(weight) as total,
    sum(weight) as blamed,
    count(*) over () + greatest((select count(*) from every_named) - $limit, 0) as row_count,
from chains
group by path, subsystem, chain_id
order by self desc, path
limit $limit
