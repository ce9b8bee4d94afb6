-- Profiles of the other store that this one lacks, of $profiles where they are given, and the names that they get here: where another
-- recording has it already, with the beginning of the content's hash.
create or replace temp table added as
select
    theirs.profile_id,
    theirs.name as old_name,
    case when theirs.name in (select name from profile)
        then theirs.name || '-' || theirs.content_hash[:8]
        else theirs.name
    end as name,
from other.profile as theirs
where theirs.profile_id not in (select profile_id from profile)
    and ($profiles is null or list_contains($profiles::bigint[], theirs.profile_id))
