-- The stacks that pass filters of stacks: what they are charged to, and the binary of their leaf.
create or replace temp table picked_stack as
select stack_blame.stack_id
from stack_blame
join stack_symbol on stack_symbol.stack_id = stack_blame.stack_id and stack_symbol.is_leaf
join symbol on symbol.symbol_id = stack_symbol.symbol_id
where (
        getvariable('subsystem') is null
        or list_contains(getvariable('subsystem')::varchar[], stack_blame.subsystem)
    )
    and (
        getvariable('dso') is null or list_contains(getvariable('dso')::varchar[], symbol.dso)
    )
