-- Attachments that differ: those here stay.
select profile.name, ours.kind
from attachment as ours
join other.attachment as theirs on theirs.profile_id = ours.profile_id and theirs.kind = ours.kind
join profile on profile.profile_id = ours.profile_id
where theirs.text <> ours.text
order by profile.name, ours.kind
