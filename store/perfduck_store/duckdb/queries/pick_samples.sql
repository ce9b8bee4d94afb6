-- As pick_rollup, for filters that only samples can answer; of one profile, whose samples lie
-- together. $keep names a column to tell apart besides stacks, and comm: without it takes half as long.
insert into picked_sample by name
select
    $run::integer as run,
    event,
    stack_id,
    case when $keep <> '' then coalesce(comm, '[none]') end as comm,
    case when $keep = 'cgroup' then cgroup end as cgroup,
    sum(coalesce(period, count))::double as weight,
    sum(coalesce(period, count))::hugeint as exact_weight,
    sum(count)::double as hits,
from filtered_sample
where profile_id = $profile
    and list_contains($events::varchar[], event)
    and ($from_ns is null or time_ns >= $from_ns)
    and ($to_ns is null or time_ns < $to_ns)
group by all
