-- As pick_rollup, for filters that only samples can answer: of `asked_run`, runs with an event and the
-- time to look at. $keep names columns to tell apart besides stacks: without comm it takes half as
-- long.
select
    asked_run.run::integer as run,
    sample.event,
    sample.stack_id,
    case when array_contains($keep, 'comm') then coalesce(sample.comm, '[none]') end as comm,
    case when array_contains($keep, 'cgroup') then sample.cgroup end as cgroup,
    case when array_contains($keep, 'netns') then sample.netns end as netns,
    sum(coalesce(sample.period, sample.count))::double as weight,
    sum(coalesce(sample.period, sample.count))::decimal(38, 0) as exact_weight,
    sum(sample.count)::double as hits
from filtered_sample as sample
join asked_run on asked_run.profile_id = sample.profile_id and asked_run.event = sample.event
where (asked_run.from_ns is null or sample.time_ns >= asked_run.from_ns)
    and (asked_run.to_ns is null or sample.time_ns < asked_run.to_ns)
group by all
