-- Weight and hits of every run (the place of its profile in $profiles), stack and comm, idle
-- included: what reads it adds up by stack, and knows which stacks are idle. `a|b` are two names of
-- one event. list_contains, not `in (select ...)`: that is a join, and takes twice as long.
select
    list_position($profiles::bigint[], rollup.profile_id) - 1 as run,
    rollup.stack_id,
    rollup.weight,
    rollup.count::double as hits,
from rollup
where list_contains($profiles::bigint[], rollup.profile_id)
    and list_contains(string_split($event, '|'), rollup.event)
    and ($comm is null or rollup.comm glob $comm)
