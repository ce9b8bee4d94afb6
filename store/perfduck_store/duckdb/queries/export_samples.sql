-- The picked samples of one profile by all that is known of a sample; with $with_times each one,
-- else those that only differ in their time together. Sums have 63 bits: what has more is cut off
-- there, and the caller refuses it.
select
    stack_id,
    comm,
    pid,
    tid,
    cpu,
    cgroup,
    netns,
    case when $with_times then time_ns end as time_ns,
    least(sum(coalesce(period, count)), 9223372036854775807)::bigint as weight,
    sum(count)::bigint as hits
from filtered_sample
where profile_id = $profile
    and array_contains($events, event)
    and ($from_ns is null or time_ns >= $from_ns)
    and ($to_ns is null or time_ns < $to_ns)
    and stack_id in (select stack_id from picked)
group by all
order by
    stack_id, comm nulls last, pid nulls last, tid nulls last, cpu nulls last, cgroup nulls last,
    netns nulls last, time_ns nulls last, weight, hits
