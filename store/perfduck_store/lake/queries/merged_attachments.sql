-- What merge_attachments.sql has just added.
select profile_id, kind
from attached
order by all
