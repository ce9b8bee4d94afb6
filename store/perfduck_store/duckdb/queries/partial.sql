-- Profiles that list a part of their samples: how many, of how many.
select profile.name, sum(event.samples)::bigint as listed, profile.raw_samples
from profile
join event on event.profile_id = profile.profile_id
where profile.profile_id in (select unnest($profiles::bigint[]))
    and profile.raw_samples is not null
group by profile.name, profile.raw_samples
having sum(event.samples) < profile.raw_samples
order by profile.name
