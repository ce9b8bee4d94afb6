insert into sample
select $profile_id::bigint, *
from staged_sample
order by stack_id, time_ns, cpu, tid;

insert into rollup
select
    $profile_id::bigint,
    event,
    stack_id,
    comm,
    sum(coalesce(period, count))::double as weight,
    sum(count)::bigint as count,
from staged_sample
group by event, stack_id, comm
order by event, stack_id, comm
