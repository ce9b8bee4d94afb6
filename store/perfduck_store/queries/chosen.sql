-- The weight per stack of the chosen profiles, without idle. Aggregated before any frame is
-- joined: 22 times faster than the other way round.
with chosen as (
    select rollup.stack_id, sum(rollup.weight) as weight
    from rollup
    join stack_blame on stack_blame.stack_id = rollup.stack_id
    where rollup.profile_id in (select unnest($profiles::bigint[]))
        and rollup.event = $event
        and stack_blame.context <> 'idle'
    group by rollup.stack_id
)
