-- A sample has one comm: self, total and blamed are the same. From the rollup, which has it too:
-- 50 million samples take 3 s to add up, their 1.4 million rows 0.1 s.
select
    coalesce(rollup.comm, '[none]') as comm,
    sum(rollup.weight) as self,
    self as total,
    self as blamed,
from rollup
join stack_blame on stack_blame.stack_id = rollup.stack_id
where rollup.profile_id in (select unnest($profiles::bigint[]))
    and rollup.event = $event
    and stack_blame.context <> 'idle'
group by rollup.comm
order by self desc, comm
limit $limit
