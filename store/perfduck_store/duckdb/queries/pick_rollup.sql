-- What an answer is about, of filters that the rollup knows: weight and hits by run (the place of a
-- profile among those that were chosen), stack and comm, idle included.
create or replace temp view sampled as
select
    run_of(rollup.profile_id) as run,
    rollup.event,
    rollup.stack_id,
    coalesce(rollup.comm, '[none]') as comm,
    rollup.cgroup,
    rollup.netns,
    rollup.weight,
    rollup.weight::decimal(38, 0) as exact_weight,  -- up to 2^53
    rollup.count::double as hits
from rollup
where is_chosen(rollup.profile_id)
    and array_contains(chosen('events'), rollup.event)
    and (
        chosen('pairs') is null
        or array_contains(chosen('pairs'), rollup.profile_id || ' ' || rollup.event)
    )
    and (
        chosen('comm') is null
        or array_contains(chosen('comm'), coalesce(rollup.comm, '[none]'))
    )
    and (
        chosen('cgroup') is null
        or array_contains(chosen('cgroup'), coalesce(rollup.cgroup, '[none]'))
    )
    and (
        chosen('netns') is null
        or array_contains(chosen('netns'), coalesce(rollup.netns::string, '[no netns]'))
    )
