select
    event,
    sum(count)::bigint as samples,
    sum(coalesce(period, count))::double as weight,
    bool_or(period is not null) as has_period,
from sample
where profile_id = $profile_id
group by event
order by event
