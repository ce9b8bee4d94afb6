-- Attachments of kinds that the recording has here none of; merge.py adds what was read off them.
create or replace temp table attached as
select theirs.profile_id, theirs.kind
from other.attachment as theirs
anti join attachment as ours on ours.profile_id = theirs.profile_id and ours.kind = theirs.kind;

insert into attachment by name
select theirs.*
from other.attachment as theirs
join attached on attached.profile_id = theirs.profile_id and attached.kind = theirs.kind
