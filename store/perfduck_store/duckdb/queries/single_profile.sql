-- What is said of the profiles of a store that should have one.
select profile.* exclude (profile_id, ingested_at)
from profile
limit 2
