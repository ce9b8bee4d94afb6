-- The files kept with a profile.
select kind, source, text
from attachment
where profile_id = $profile_id
order by kind
