-- The commands that the profiles were recorded with.
select distinct command
from profile
where list_contains($profiles::bigint[], profile_id) and command is not null
