-- Weight of code without a name, idle left out, in the picked runs ($runs) of recordings whose
-- import said that names are missing: by run and binary, heaviest first.
with lacking as (
    select distinct run_of(profile_id) as run
    from limitation
    where code in ('no-names', 'no-kernel-names')
        and is_chosen(profile_id)
),
chosen as (
    select picked.run, picked.stack_id, sum(picked.weight) as weight
    from picked
    join stack_blame on stack_blame.stack_id = picked.stack_id
    join lacking on lacking.run = picked.run
    where stack_blame.context <> 'idle' and array_contains($runs, picked.run)
    group by all
)
select chosen.run, symbol.dso, sum(chosen.weight) as weight
from chosen
join stack_symbol on stack_symbol.stack_id = chosen.stack_id and stack_symbol.is_leaf
join symbol on symbol.symbol_id = stack_symbol.symbol_id and symbol.name = '[unknown]'
group by all
order by weight desc, symbol.dso, chosen.run
