-- Hits without idle by time from the first sample of each run, of the stacks that are picked. For any
-- part of the time: a choice with times has picked the stacks of that part alone.
with begun as (
    select profile_id, min(time_ns) as first_ns
    from sample
    where is_chosen(profile_id)
    group by profile_id
)
select
    run_of(sample.profile_id) as run,
    quotient(sample.time_ns - begun.first_ns, $bucket_ns) as bucket,
    sum(sample.count)::bigint as hits
from filtered_sample as sample
join begun on begun.profile_id = sample.profile_id
join stack_blame on stack_blame.stack_id = sample.stack_id
where sample.time_ns is not null
    and stack_blame.context <> 'idle'
    and sample.stack_id in (select stack_id from picked)
    and array_contains(chosen('events'), sample.event)
    and (
        chosen('pairs') is null
        or array_contains(chosen('pairs'), sample.profile_id || ' ' || sample.event)
    )
group by all
order by run, bucket
