-- By comm, or with $by = 'cgroup' or 'netns' by that, with 'direction' by that of the stack. A sample has one:
-- self, total and blamed are the same.
select
    case $by
        when 'cgroup' then coalesce(picked.cgroup, '[none]')
        when 'netns' then coalesce(picked.netns::string, '[no netns]')
        when 'direction' then stack_blame.direction
        else picked.comm
    end as place,
    sum(picked.weight) as self,
    sum(picked.weight) as total,
    sum(picked.weight) as blamed,
    count(*) over () as row_count
from picked
join stack_blame on stack_blame.stack_id = picked.stack_id
where stack_blame.context <> 'idle'
group by place
order by self desc, place
limit $limit
