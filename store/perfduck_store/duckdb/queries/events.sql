-- Events of the chosen profiles.
select event.profile_id, event.event, event.unit, event.samples, event.weight
from event
where event.profile_id in (select unnest($profiles::bigint[]))
order by event.samples desc, event.event
