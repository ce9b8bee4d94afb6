-- Samples that the filters which are variables let pass.
create or replace temp view filtered_sample as
from sample
where (
        getvariable('comm') is null
        or list_contains(getvariable('comm')::varchar[], coalesce(comm, '[none]'))
    )
    -- perf script prints the tid alone unless it is asked for the pid
    and (
        getvariable('pid') is null
        or list_contains(getvariable('pid')::integer[], coalesce(pid, tid))
    )
    and (getvariable('cpu') is null or list_contains(getvariable('cpu')::integer[], cpu))
    and (
        getvariable('cgroup') is null
        or list_contains(getvariable('cgroup')::varchar[], coalesce(cgroup, '[none]'))
    )
    and (
        getvariable('netns') is null
        or list_contains(getvariable('netns')::varchar[], coalesce(netns::varchar, '[no netns]'))
    )
