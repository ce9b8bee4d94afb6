-- Self weight by what decided the leaf's tag, in some runs.
with chosen_stack as (
    select picked.stack_id, sum(picked.weight) as weight
    from picked
    join stack_blame on stack_blame.stack_id = picked.stack_id
    where stack_blame.context <> 'idle' and array_contains($runs, picked.run)
    group by picked.stack_id
),
methods as (
    select symbol.tagged_by, sum(chosen_stack.weight) as weight
    from chosen_stack
    join stack_symbol on stack_symbol.stack_id = chosen_stack.stack_id and stack_symbol.is_leaf
    join symbol on symbol.symbol_id = stack_symbol.symbol_id
    group by symbol.tagged_by
)
select
    tagged_by,
    weight / (select sum(weight) from methods) as share
from methods
order by weight desc, tagged_by
