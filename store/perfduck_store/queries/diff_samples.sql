-- As diff_rollup, for filters that only samples can answer; of one profile, $run, whose samples lie
-- together: to add up by stack alone takes half as long as by profile and stack.
select
    $run::integer as run,
    stack_id,
    sum(coalesce(period, count))::double as weight,
    sum(count)::double as hits,
from sample
where profile_id = $profile
    and list_contains(string_split($event, '|'), event)
    and ($comm is null or comm glob $comm)
    -- perf script prints the tid alone unless it is asked for the pid
    and ($pid is null or coalesce(pid, tid) = $pid)
    and ($cpu is null or cpu = $cpu)
    and ($cgroup is null or cgroup glob $cgroup)
    and ($from_ns is null or time_ns >= $from_ns)
    and ($to_ns is null or time_ns < $to_ns)
group by stack_id
