-- The weight of each stack and command, idle included. $runs: of which runs.
select
    stack_id,
    comm,
    sum(exact_weight)::hugeint as weight,  -- one period may have 63 bits
from picked
where list_contains($runs::integer[], run)
group by stack_id, comm
order by stack_id, comm
