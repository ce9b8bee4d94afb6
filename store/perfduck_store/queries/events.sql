-- Events of the chosen profiles, the one with the most samples first.
select event, any_value(unit) as unit, sum(samples)::bigint as samples
from event
where profile_id in (select unnest($profiles::bigint[]))
group by event
order by samples desc, event
