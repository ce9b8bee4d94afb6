-- What users may change of a profile.
select name, work, work_unit, kernel_release, labels
from profile
where profile_id = $profile_id
