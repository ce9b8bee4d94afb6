-- The staged chains that are new, and the distinct symbols of each. The leaf is
-- the first entry; a recursive function is one row.
insert into stack
select stack_id, any_value(symbol_ids) as symbol_ids
from staged_stack
where stack_id not in (select stack_id from stack)
group by stack_id
order by stack_id;

insert into stack_symbol
select stack_id, symbol_id, bool_or(position = 1) as is_leaf
from (
    select
        stack_id,
        unnest(symbol_ids) as symbol_id,
        generate_subscripts(symbol_ids, 1) as position,
    from stack
    where stack_id not in (select stack_id from stack_blame)
)
group by stack_id, symbol_id
order by stack_id, symbol_id
