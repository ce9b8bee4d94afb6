-- Ticks of a clock (cpu-clock, task-clock) that left no sample, by pod of the recordings: weight in ns,
-- and that of the samples. Where two samples in succession on a CPU, of one control group and not idle,
-- are two to four periods apart, the ticks between them are missing: the clock does not depend on what runs.
-- Longer holes are not counted: a CPU whose real-time tasks have used up their time, or a virtual one
-- that does not run. Nor are CPUs on which less than three quarters of the ticks left a sample: there
-- idle time, or time of others, may have been left out of the recording.
with next_tick as (
    select
        sample.profile_id,
        sample.event,
        sample.cpu,
        sample.tid,
        sample.cgroup,
        sample.time_ns,
        sample.period,
        lag(sample.time_ns) over of_cpu as last_ns,
        lag(sample.cgroup) over of_cpu as last_cgroup,
        lag(sample.period) over of_cpu as last_period
    from sample
    join event on event.profile_id = sample.profile_id and event.event = sample.event
    where is_chosen(sample.profile_id)
        and array_contains(chosen('events'), sample.event)
        and event.unit = 'ns'
        and sample.cpu is not null
        and sample.time_ns is not null
        and sample.period > 0
        and sample.count = 1
    window of_cpu as (
        partition by sample.profile_id, sample.event, sample.cpu order by sample.time_ns
    )
),
apart as (
    select *, (time_ns - last_ns) / period as periods
    from next_tick
),
tick as (
    select
        *,
        round(periods) as whole,
        tid <> 0
            and cgroup = last_cgroup
            and period = last_period
            and round(periods) between 2 and 4
            and abs(periods - round(periods)) < 0.1 as is_missed
    from apart
),
watched as (
    select profile_id, event, cpu
    from tick
    group by all
    having sum(period) >= 0.75 * (max(time_ns) - min(time_ns))
),
by_pod as (
    select
        coalesce(pod_of.pod, '[no cgroup]') as pod,
        coalesce(sum(tick.period * (tick.whole - 1)) filter (where tick.is_missed), 0)::double
            as missed,
        sum(tick.period)::double as sampled
    from tick
    join watched on watched.profile_id = tick.profile_id
        and watched.event = tick.event
        and watched.cpu = tick.cpu
    left join pod_of on pod_of.cgroup = tick.cgroup
    group by all
)
select *
from by_pod
where missed > 0
order by missed desc, pod
