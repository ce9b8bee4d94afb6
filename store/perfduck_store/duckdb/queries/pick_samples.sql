-- As pick_rollup, for filters that only samples can answer; of one profile, whose samples lie
-- together. $keep names
-- columns to tell apart besides stacks: without comm it takes half as long.
insert into picked_sample by name
select
    $run::integer as run,
    event,
    stack_id,
    case when list_contains($keep::varchar[], 'comm') then coalesce(comm, '[none]') end as comm,
    case when list_contains($keep::varchar[], 'cgroup') then cgroup end as cgroup,
    case when list_contains($keep::varchar[], 'netns') then netns end as netns,
    sum(coalesce(period, count))::double as weight,
    sum(coalesce(period, count))::hugeint as exact_weight,
    sum(count)::double as hits,
from filtered_sample
where profile_id = $profile
    and list_contains($events::varchar[], event)
    and ($from_ns is null or time_ns >= $from_ns)
    and ($to_ns is null or time_ns < $to_ns)
group by all
