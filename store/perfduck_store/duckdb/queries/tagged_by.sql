-- Self weight by what decided the leaf's tag.
with chosen as (
    from stack_weights($runs::integer[])
),
methods as (
    select symbol.tagged_by, sum(chosen.weight) as weight
    from chosen
    join stack_symbol on stack_symbol.stack_id = chosen.stack_id and stack_symbol.is_leaf
    join symbol on symbol.symbol_id = stack_symbol.symbol_id
    group by symbol.tagged_by
)
select
    tagged_by,
    weight / (select sum(weight) from methods) as share,
from methods
order by weight desc, tagged_by
