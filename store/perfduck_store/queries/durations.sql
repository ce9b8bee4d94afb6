-- How long each profile lasted, in seconds.
select profile_id, duration_s
from profile
where list_contains($profiles::bigint[], profile_id)
