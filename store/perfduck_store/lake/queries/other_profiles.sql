-- The recordings of another store, in the order in which they are taken over.
select profile_id
from other.profile
order by name
