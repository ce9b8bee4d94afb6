-- What a comparison wants to know of each picked profile. `grain` is what one sample represents: a
-- sum of unequal weights varies more than its number of samples says, by sum(w^2) / sum(w).
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
    recorded.frequency,
    coalesce(grain.has_period, false) as has_period,
    coalesce(grain.grain, 1) as grain,
    profile.inlined_samples / greatest(recorded.samples, 1) as inlined
from profile
join (
    select
        profile_id,
        sum(samples)::double as samples,
        max(frequency) filter (where array_contains(chosen('events'), event)) as frequency
    from event
    group by profile_id
) as recorded on recorded.profile_id = profile.profile_id
left join (
    select
        sample.profile_id,
        bool_or(sample.period is not null) as has_period,
        sum(coalesce(sample.period, sample.count)::double
                * coalesce(sample.period, sample.count) / sample.count)
            / nullif(sum(coalesce(sample.period, sample.count)), 0) as grain
    from sample
    where array_contains(chosen('events'), sample.event)
        and is_chosen(sample.profile_id)
    group by sample.profile_id
) as grain on grain.profile_id = profile.profile_id
where is_chosen(profile.profile_id)
order by profile.name
