-- A sample has one cgroup: self, total and blamed are the same.
select
    picked.cgroup,
    sum(picked.weight) as self,
    self as total,
    self as blamed,
    count(*) over () as row_count,
from picked
join stack_blame on stack_blame.stack_id = picked.stack_id
where stack_blame.context <> 'idle'
group by picked.cgroup
order by self desc, cgroup
limit $limit
