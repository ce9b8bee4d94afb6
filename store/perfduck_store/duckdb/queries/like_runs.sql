-- Recordings that may tell how far whole runs of $profiles differ: same event, unit of work, CPUs and
-- architecture, the newest first. `total` is the weight without idle, of the
-- events and commands that are picked.
with asked as (
    select any_value(work_unit) as work_unit, any_value(cpus) as cpus, any_value(arch) as arch
    from profile
    where array_contains($profiles, profile_id)
),
candidate as (
    select profile.profile_id, profile.labels, profile.work
    from profile
    cross join asked
    where profile.work > 0
        and profile.work_unit = asked.work_unit
        and profile.cpus is not distinct from asked.cpus
        and profile.arch is not distinct from asked.arch
        and not array_contains($profiles, profile.profile_id)
    order by profile.profile_id desc
    limit $most
)
select
    candidate.labels,
    candidate.work,
    sum(rollup.weight) as total,
    sum(rollup.count)::double as hits
from candidate
join rollup on rollup.profile_id = candidate.profile_id
join stack_blame on stack_blame.stack_id = rollup.stack_id
where array_contains(chosen('events'), rollup.event)
    and stack_blame.context <> 'idle'
    and (
        chosen('comm') is null
        or array_contains(chosen('comm'), coalesce(rollup.comm, '[none]'))
    )
group by candidate.profile_id, candidate.labels, candidate.work
order by candidate.profile_id
