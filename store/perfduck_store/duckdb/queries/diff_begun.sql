-- When the first sample of each profile was taken, for any event: times of filters count from it.
select profile_id, min(time_ns) as first_ns
from sample
where array_contains($profiles, profile_id)
group by profile_id
