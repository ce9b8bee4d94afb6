-- The stacks of the profiles without idle, and who is charged for them.
with used as (
    select distinct stack_id
    from rollup
    where list_contains($profiles::bigint[], profile_id)
        and list_contains(string_split($event, '|'), event)
)
select stack.stack_id, stack.symbol_ids, stack_blame.subsystem
from used
join stack on stack.stack_id = used.stack_id
join stack_blame on stack_blame.stack_id = used.stack_id
where stack_blame.context <> 'idle'
    and ($subsystem is null or stack_blame.subsystem glob $subsystem)
order by stack.stack_id
