-- A sample has one cgroup: self, total and blamed are the same.
select
    coalesce(sample.cgroup, '[none]') as cgroup,
    sum(coalesce(sample.period, sample.count))::double as self,
    self as total,
    self as blamed,
from sample
join stack_blame on stack_blame.stack_id = sample.stack_id
where sample.profile_id in (select unnest($profiles::bigint[]))
    and sample.event = $event
    and stack_blame.context <> 'idle'
group by sample.cgroup
order by self desc, cgroup
limit $limit
