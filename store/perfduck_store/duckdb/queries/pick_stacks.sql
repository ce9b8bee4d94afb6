-- The stacks that pass filters of stacks: what they are charged to, and the binary of their leaf.
select stack_blame.stack_id
from stack_blame
join stack_symbol on stack_symbol.stack_id = stack_blame.stack_id and stack_symbol.is_leaf
join symbol on symbol.symbol_id = stack_symbol.symbol_id
where (chosen('subsystem') is null or array_contains(chosen('subsystem'), stack_blame.subsystem))
    and (chosen('dso') is null or array_contains(chosen('dso'), symbol.dso))
