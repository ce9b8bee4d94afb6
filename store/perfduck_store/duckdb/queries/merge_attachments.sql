-- Attachments of kinds that the recording has here none of, and what was read off them.
create or replace temp table attached as
select theirs.profile_id, theirs.kind
from other.attachment as theirs
anti join attachment as ours on ours.profile_id = theirs.profile_id and ours.kind = theirs.kind;

insert into attachment by name
select theirs.*
from other.attachment as theirs
join attached on attached.profile_id = theirs.profile_id and attached.kind = theirs.kind;

insert into iptables_rule by name
select theirs.*
from other.iptables_rule as theirs
join attached on attached.profile_id = theirs.profile_id and attached.kind = 'iptables';

insert into conntrack_stat by name
select theirs.*
from other.conntrack_stat as theirs
join attached on attached.profile_id = theirs.profile_id and attached.kind = 'conntrack'
