-- What profiles got done, in which unit, and how long that took.
select name, work, work_unit, duration_s
from profile
where list_contains($profiles::bigint[], profile_id)
order by name
