-- The events of a profile's samples; `incoming` is what the recording says of them.
insert into event by name
select
    $profile_id::bigint as profile_id,
    recorded.event,
    case when recorded.has_period then coalesce(incoming.unit, 'sample') else 'sample' end as unit,
    incoming.frequency,
    recorded.samples,
    recorded.weight,
from (
    select
        event,
        sum(count)::bigint as samples,
        sum(coalesce(period, count))::double as weight,
        bool_or(period is not null) as has_period,
    from sample
    where profile_id = $profile_id
    group by event
) as recorded
left join incoming on incoming.event = recorded.event
order by recorded.event
