-- What is behind a ranking: mean length and work of the runs, and their samples without idle.
select
    avg(profile.duration_s) as duration_s,
    case when count(distinct profile.work_unit) = 1 then avg(profile.work) end as work,
    (
        select coalesce(sum(rollup.count), 0)::bigint
        from rollup
        join stack_blame on stack_blame.stack_id = rollup.stack_id
        where rollup.profile_id in (select unnest($profiles::bigint[]))
            and rollup.event = $event
            and stack_blame.context <> 'idle'
    ) as samples,
from profile
where profile.profile_id in (select unnest($profiles::bigint[]))
