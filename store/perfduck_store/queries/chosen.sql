-- The weight per stack of what is picked (in $runs; null: in all), without idle. Aggregated before any frame is joined:
-- 22 times faster than the other way round.
with chosen as (
    select picked.stack_id, sum(picked.weight) as weight
    from picked
    join stack_blame on stack_blame.stack_id = picked.stack_id
    where stack_blame.context <> 'idle'
        and ($runs::integer[] is null or list_contains($runs::integer[], picked.run))
    group by picked.stack_id
)
