-- Build ids that a recording notes, of binaries that its samples are in.
insert into recorded_binary by name
select
    $profile_id::bigint as profile_id,
    incoming.dso,
    incoming.build_id,
from incoming
