-- As diff_rollup, for filters that only samples can answer. Times count from a profile's first
-- sample of any event.
with begun as (
    select profile_id, min(time_ns) as first_ns
    from sample
    where profile_id in (select unnest($profiles::bigint[]))
    group by profile_id
)
select
    sample.profile_id,
    sample.stack_id,
    sum(coalesce(sample.period, sample.count))::double as weight,
    sum(sample.count)::double as hits,
from sample
join stack_blame on stack_blame.stack_id = sample.stack_id
join begun on begun.profile_id = sample.profile_id
where sample.profile_id in (select unnest($profiles::bigint[]))
    and sample.event in (select unnest(string_split($event, '|')))
    and stack_blame.context <> 'idle'
    and ($comm is null or sample.comm glob $comm)
    and ($subsystem is null or stack_blame.subsystem glob $subsystem)
    -- perf script prints the tid alone unless it is asked for the pid
    and ($pid is null or coalesce(sample.pid, sample.tid) = $pid)
    and ($cpu is null or sample.cpu = $cpu)
    and ($cgroup is null or sample.cgroup glob $cgroup)
    and ($from_s is null or sample.time_ns - begun.first_ns >= $from_s * 1e9)
    and ($to_s is null or sample.time_ns - begun.first_ns < $to_s * 1e9)
group by sample.profile_id, sample.stack_id
