-- The program of eBPF that each stack of what is picked is charged to, where it is charged to one.
select stack_id, min(program) as program
from run_program
where is_blamed
group by stack_id
order by stack_id
