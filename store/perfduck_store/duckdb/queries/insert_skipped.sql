insert into skipped by name
select $profile_id::bigint as profile_id, line, text, reason
from incoming
order by line
