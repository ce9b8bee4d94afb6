-- Weight and hits per profile and stack, without idle; idle is asked for apart. `a|b` are two names
-- of one event. Not in order: what reads it puts the numbers into a matrix.
select
    rollup.profile_id,
    rollup.stack_id,
    sum(rollup.weight) as weight,
    sum(rollup.count)::double as hits,
from rollup
join stack_blame on stack_blame.stack_id = rollup.stack_id
where rollup.profile_id in (select unnest($profiles::bigint[]))
    and rollup.event in (select unnest(string_split($event, '|')))
    and stack_blame.context <> 'idle'
    and ($comm is null or rollup.comm glob $comm)
    and ($subsystem is null or stack_blame.subsystem glob $subsystem)
group by rollup.profile_id, rollup.stack_id
