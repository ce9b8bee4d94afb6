insert into skipped
select $profile_id::bigint, line, text, reason
from incoming
order by line
