-- The weight of each stack and command, idle included. $runs: of which runs.
select
    stack_id,
    comm,
    sum(exact_weight)::decimal(38, 0) as weight  -- one period may have 63 bits
from picked
where array_contains($runs, run)
group by stack_id, comm
order by stack_id, comm
