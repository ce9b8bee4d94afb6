-- What a comparison wants to know of each profile. `grain` is what one sample stands for: a sum of
-- unequal weights varies more than its number of samples says, by sum(w^2) / sum(w).
select
    profile.profile_id,
    profile.name,
    profile.work,
    profile.work_unit,
    profile.duration_s,
    profile.cpus,
    profile.arch,
    profile.kernel_release,
    profile.host,
    profile.lost / greatest(profile.lost + recorded.samples, 1) as lost,
    coalesce(recorded.samples / profile.raw_samples, 1) as listed,
    profile.labels,
    event.frequency,
    event.unit,
    idle.weight as idle,
    coalesce(grain.has_period, false) as has_period,
    coalesce(grain.grain, 1) as grain,
from profile
join event on event.profile_id = profile.profile_id
    and list_contains(string_split($event, '|'), event.event)
join (
    select profile_id, sum(samples)::double as samples
    from event
    group by profile_id
) as recorded on recorded.profile_id = profile.profile_id
left join (
    select
        sample.profile_id,
        bool_or(sample.period is not null) as has_period,
        sum(coalesce(sample.period, sample.count)::double ** 2 / sample.count)
            / nullif(sum(coalesce(sample.period, sample.count)), 0) as grain,
    from sample
    where list_contains(string_split($event, '|'), sample.event)
        and list_contains($profiles::bigint[], sample.profile_id)
    group by sample.profile_id
) as grain on grain.profile_id = profile.profile_id
left join (
    select rollup.profile_id, sum(rollup.weight) as weight
    from rollup
    join stack_blame on stack_blame.stack_id = rollup.stack_id
    where list_contains(string_split($event, '|'), rollup.event)
        and list_contains($profiles::bigint[], rollup.profile_id)
        and stack_blame.context = 'idle'
    group by rollup.profile_id
) as idle on idle.profile_id = profile.profile_id
where list_contains($profiles::bigint[], profile.profile_id)
order by profile.name
