-- What an answer is about, of filters that the rollup knows: weight and hits by run (the place of a
-- profile in variable `profiles`), stack and comm, idle included. Variables and not parameters: a
-- view has none. list_contains, not `in (select ...)`: that is a join, and takes twice as long.
create or replace temp view sampled as
select
    list_position(getvariable('profiles')::bigint[], rollup.profile_id) - 1 as run,
    rollup.event,
    rollup.stack_id,
    coalesce(rollup.comm, '[none]') as comm,
    rollup.cgroup,
    rollup.netns,
    rollup.weight,
    rollup.weight::hugeint as exact_weight,  -- up to 2^53
    rollup.count::double as hits,
from rollup
where list_contains(getvariable('profiles')::bigint[], rollup.profile_id)
    and list_contains(getvariable('events')::varchar[], rollup.event)
    and (
        getvariable('pairs') is null
        or list_contains(getvariable('pairs')::varchar[], rollup.profile_id || ' ' || rollup.event)
    )
    and (
        getvariable('comm') is null
        or list_contains(getvariable('comm')::varchar[], coalesce(rollup.comm, '[none]'))
    )
    and (
        getvariable('cgroup') is null
        or list_contains(getvariable('cgroup')::varchar[], coalesce(rollup.cgroup, '[none]'))
    )
    and (
        getvariable('netns') is null
        or list_contains(
            getvariable('netns')::varchar[], coalesce(rollup.netns::varchar, '[no netns]')
        )
    )
