insert into profile by name
select theirs.* replace (added.name as name)
from other.profile as theirs
join added on added.profile_id = theirs.profile_id
order by added.name
