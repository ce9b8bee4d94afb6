select
    profile.name,
    profile.format,
    profile.started_at,
    profile.ingested_at,
    profile.duration_s,
    (select sum(event.samples)::bigint from event where event.profile_id = profile.profile_id)
        as samples,
    (select string_agg(event.event, ' ' order by event.event) from event
        where event.profile_id = profile.profile_id) as events,
    profile.lost,
    profile.raw_samples,
    (select count(*) from skipped where skipped.profile_id = profile.profile_id) as skipped,
    profile.work,
    profile.work_unit,
    profile.kernel_release,
    profile.layout,
    profile.labels,
    lpad(lower(hex(profile.profile_id)), 16, '0') as id,  -- as a selector has it: id:ID
from profile
where profile.profile_id in (select unnest($profiles::bigint[]))
order by profile.name
