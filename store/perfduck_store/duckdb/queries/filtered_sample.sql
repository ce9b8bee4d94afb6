-- Samples that the filters let pass.
create or replace temp view filtered_sample as
select *
from sample
where (
        chosen('comm') is null
        or array_contains(chosen('comm'), coalesce(comm, '[none]'))
    )
    -- perf script prints the tid alone unless it is asked for the pid
    and (
        chosen_numbers('pid') is null
        or array_contains(chosen_numbers('pid'), coalesce(pid, tid))
    )
    and (chosen_numbers('cpu') is null or array_contains(chosen_numbers('cpu'), cpu))
    and (
        chosen('cgroup') is null
        or array_contains(chosen('cgroup'), coalesce(cgroup, '[none]'))
    )
    and (
        chosen('netns') is null
        or array_contains(chosen('netns'), coalesce(netns::string, '[no netns]'))
    )
