-- A sample has one comm: self, total and blamed are the same.
select
    picked.comm,
    sum(picked.weight) as self,
    self as total,
    self as blamed,
    count(*) over () as row_count,
from picked
join stack_blame on stack_blame.stack_id = picked.stack_id
where stack_blame.context <> 'idle'
group by picked.comm
order by self desc, comm
limit $limit
