-- What is kept of a kind with a profile.
select text
from attachment
where profile_id = $profile_id and kind = $kind
