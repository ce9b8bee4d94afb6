-- Of the picked profiles those with arcs of OProfile for the picked events.
select distinct profile.name
from edge
join profile on profile.profile_id = edge.profile_id
where list_contains(getvariable('profiles')::bigint[], edge.profile_id)
    and list_contains(getvariable('events')::varchar[], edge.event)
order by profile.name
