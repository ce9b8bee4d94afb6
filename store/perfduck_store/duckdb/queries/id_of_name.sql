select profile_id
from profile
where name = $name
