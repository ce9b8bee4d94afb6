-- Of the picked profiles those with arcs of OProfile for the picked events.
select distinct profile.name
from edge
join profile on profile.profile_id = edge.profile_id
where is_chosen(edge.profile_id)
    and array_contains(chosen('events'), edge.event)
order by profile.name
