-- What a list of profiles to remove shows of each; `age_from`: UTC, null where neither is known.
select
    profile.profile_id,
    profile.name,
    (select sum(event.samples)::bigint from event where event.profile_id = profile.profile_id)
        as samples,
    coalesce(profile.started_at, profile.ingested_at) as age_from,
from profile
where profile.profile_id in (select unnest($profiles::bigint[]))
order by profile.name
