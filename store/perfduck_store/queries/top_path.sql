-- Whole call chains, root first. Names are joined for the heaviest alone.
, heaviest as (
    select stack_id, weight from chosen order by weight desc, stack_id limit $limit
),
frames as (
    select
        heaviest.stack_id,
        heaviest.weight,
        unnest(stack.symbol_ids) as symbol_id,
        generate_subscripts(stack.symbol_ids, 1) as depth,
    from heaviest
    join stack on stack.stack_id = heaviest.stack_id
)
select
    string_agg(symbol.name, ';' order by frames.depth desc) as path,
    any_value(stack_blame.subsystem) as subsystem,
    any_value(frames.weight) as self,
    any_value(frames.weight) as total,
    any_value(frames.weight) as blamed,
from frames
join symbol on symbol.symbol_id = frames.symbol_id
join stack_blame on stack_blame.stack_id = frames.stack_id
group by frames.stack_id
order by self desc, path
