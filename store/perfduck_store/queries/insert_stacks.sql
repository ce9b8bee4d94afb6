-- The staged chains that are new.
insert into stack
select stack_id, any_value(symbol_ids) as symbol_ids
from staged_stack
where stack_id not in (select stack_id from stack)
group by stack_id
order by stack_id
