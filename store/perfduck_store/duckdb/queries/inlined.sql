-- How many samples of a profile have inlined functions.
select inlined_samples
from profile
where profile_id = $profile_id
