-- Functions whose self weight was spent before them, with interrupts off: of what is picked. The
-- share of a function's weight that is not its own is that of the whole recording.
with leaves as (
    select
        profile_of(picked.run) as profile_id,
        picked.event,
        stack_symbol.symbol_id,
        sum(picked.weight) as weight
    from picked
    join stack_symbol on stack_symbol.stack_id = picked.stack_id and stack_symbol.is_leaf
    join stack_blame on stack_blame.stack_id = picked.stack_id
    where stack_blame.context <> 'idle'
        and array_contains($runs, picked.run)
        and stack_symbol.symbol_id in (select symbol_id from artefact)
    group by all
)
select
    symbol.name,
    sum(leaves.weight * artefact.share) as weight
from leaves
join artefact on artefact.profile_id = leaves.profile_id
    and artefact.event = leaves.event
    and artefact.symbol_id = leaves.symbol_id
join symbol on symbol.symbol_id = leaves.symbol_id
group by symbol.name
order by weight desc, symbol.name
