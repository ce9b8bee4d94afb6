-- Input of a profile that was not understood, in the order of the recording.
select line, text, reason, count(*) over () as row_count
from skipped
where profile_id = $profile_id
order by line, text
limit $limit
