-- What a selector goes by.
select profile_id, name, labels
from profile
order by name
