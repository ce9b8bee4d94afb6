-- What is said of profiles; all of them where $profiles is null.
select profile_id, name, labels, work, work_unit, duration_s, command, kernel_release,
    layout
from profile
where $profiles::bigint[] is null or list_contains($profiles::bigint[], profile_id)
order by name
