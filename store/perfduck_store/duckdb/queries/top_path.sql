-- Whole call chains, root first; chains that differ in addresses without a name are one. ';' in a
-- name becomes ':'. Names are joined for the heaviest alone, and for chains with such addresses.
with chosen_stack as (
    select *
    from stack_weight
),
nameless as (
    select distinct stack_symbol.stack_id
    from stack_symbol
    join symbol on symbol.symbol_id = stack_symbol.symbol_id
    where symbol.name = '[unknown]'
),
every_named as (
    select chosen_stack.stack_id, chosen_stack.weight
    from chosen_stack
    anti join nameless on nameless.stack_id = chosen_stack.stack_id
),
named as (
    select *
    from every_named
    order by weight desc, stack_id
    limit $limit
),
candidates as (
    select *
    from named
    union all
    select chosen_stack.stack_id, chosen_stack.weight
    from chosen_stack
    semi join nameless on nameless.stack_id = chosen_stack.stack_id
),
frames as (
    select candidates.stack_id, candidates.weight, placed.symbol_id, placed.place as depth
    from candidates
    join stack on stack.stack_id = candidates.stack_id,
    lateral places_of(stack.symbol_ids) as placed
),
named_frames as (
    select
        frames.stack_id,
        frames.weight,
        frames.depth,
        stack_blame.subsystem,
        symbol.name = '[unknown]' as is_nameless,
        replace(shown_name(symbol.name, symbol.dso), ';', ':') as name
    from frames
    join symbol on symbol.symbol_id = frames.symbol_id
    join stack_blame on stack_blame.stack_id = frames.stack_id
),
chains as (
    select
        string_agg(name, ';' order by depth desc) as path,
        any_value(subsystem) as subsystem,
        any_value(weight) as weight,
        case when bool_or(is_nameless) then 0 else stack_id end as chain_id
    from named_frames
    group by stack_id
)
select
    path,
    subsystem,
    sum(weight) as self,
    sum(weight) as total,
    sum(weight) as blamed,
    count(*) over () + greatest((select count(*) from every_named) - $limit, 0) as row_count
from chains
group by path, subsystem, chain_id
order by self desc, path
limit $limit
