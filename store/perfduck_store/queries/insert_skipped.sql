insert into skipped
select $profile_id::bigint, line, text, reason
from staged_skipped
order by line
