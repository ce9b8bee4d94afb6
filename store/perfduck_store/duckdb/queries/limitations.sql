-- What the chosen profiles hold that could not be read, by what it is. Not what has no name, which
-- unnamed.sql looks up.
select
    limitation.text,
    sum(limitation.samples)::hugeint as samples,
    coalesce(sum(total.samples), 0)::hugeint as total,  -- of many profiles: each may have 62 bits
    count(*) as profiles,
    min(profile.name) as first_profile,
from limitation
join profile on profile.profile_id = limitation.profile_id
left join (
    select
        profile_id,
        sum(samples) as samples,
    from event
    group by profile_id
) as total on total.profile_id = limitation.profile_id
where limitation.profile_id in (select unnest($profiles::bigint[]))
    and limitation.code not in ('no-names', 'no-kernel-names')
group by limitation.code, limitation.text
order by samples desc nulls last, limitation.code, limitation.text
