-- The recordings that like_runs.sql reads beside $profiles.
with asked as (
    select any_value(work_unit) as work_unit, any_value(cpus) as cpus, any_value(arch) as arch
    from profile
    where list_contains($profiles::bigint[], profile_id)
)
select profile.profile_id
from profile
cross join asked
where profile.work > 0
    and profile.work_unit = asked.work_unit
    and profile.cpus is not distinct from asked.cpus
    and profile.arch is not distinct from asked.arch
    and not list_contains($profiles::bigint[], profile.profile_id)
order by profile.profile_id desc
limit $most
