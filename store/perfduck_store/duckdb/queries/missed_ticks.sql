-- Ticks of a clock (cpu-clock, task-clock) that left no sample, by pod of the recordings: weight in ns,
-- and that of the samples. Where two samples in succession on a CPU, of one control group and not idle,
-- are two to four periods apart, the ticks between them are missing: the clock does not depend on what runs.
-- Longer holes are not counted: a CPU whose real-time tasks have used up their time, or a virtual one
-- that does not run. Nor are CPUs on which less than three quarters of the ticks left a sample: there
-- idle time, or time of others, may have been left out of the recording.
with clock as (
    select row_number() over (order by profile_id, event) as clock_id, profile_id, event
    from event
    where is_chosen(profile_id)
        and array_contains(chosen('events'), event)
        and unit = 'ns'
),
-- Numbers in place of names: to sort five million samples takes a third of the time.
tick as (
    select
        clock.clock_id,
        sample.cpu,
        sample.time_ns,
        sample.period,
        pod_of.group_id,
        sample.tid <> 0 as is_busy
    from sample
    join clock on clock.profile_id = sample.profile_id and clock.event = sample.event
    left join pod_of on pod_of.cgroup = sample.cgroup
    where sample.cpu is not null
        and sample.time_ns is not null
        and sample.period > 0
        and sample.count = 1
),
hole as (
    select
        *,
        (time_ns - lag(time_ns) over of_cpu) / period as periods,
        group_id = lag(group_id) over of_cpu as is_of_group
    from tick
    window of_cpu as (partition by clock_id, cpu order by time_ns)
),
by_group as (
    select
        clock_id,
        cpu,
        group_id,
        min(time_ns) as first_ns,
        max(time_ns) as last_ns,
        sum(period)::double as sampled,
        sum(period * (round(periods) - 1)) filter (
            where is_busy
            and is_of_group
            and round(periods) between 2 and 4
            and abs(periods - round(periods)) < 0.1
        )::double as missed
    from hole
    group by all
),
watched as (
    select clock_id, cpu
    from by_group
    group by all
    having sum(sampled) >= 0.75 * (max(last_ns) - min(first_ns))
)
select pod_of.pod, sum(by_group.missed) as missed, sum(by_group.sampled) as sampled
from by_group
join watched on watched.clock_id = by_group.clock_id and watched.cpu = by_group.cpu
join pod_of on pod_of.group_id = by_group.group_id
group by pod_of.pod
having missed > 0
order by missed desc, pod
