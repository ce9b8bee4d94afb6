insert into rollup by name
select
    profile_id,
    event,
    stack_id,
    comm,
    cgroup,
    netns,
    sum(coalesce(period, count))::double as weight,
    sum(count)::bigint as count,
from sample
where profile_id = $profile_id
group by all
order by event, stack_id, comm, cgroup, netns
