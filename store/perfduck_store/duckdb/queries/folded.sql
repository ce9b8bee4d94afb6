-- As stackcollapse-perf.pl has it: the command, then the frames from root to leaf; a function
-- without a name is [basename of its dso]. $runs: of which runs, null for all.
with chosen as (
    select stack_id, comm, sum(exact_weight) as weight
    from picked
    where $runs is null or list_contains($runs::integer[], run)
    group by stack_id, comm
),
frames as (
    select
        stack.stack_id,
        unnest(stack.symbol_ids) as symbol_id,
        generate_subscripts(stack.symbol_ids, 1) as depth,
    from stack
    where stack.stack_id in (select stack_id from chosen)
),
chains as (
    select
        frames.stack_id,
        list(
            case
                when symbol.name <> '[unknown]' then symbol.name
                else '[' || trim(parse_filename(symbol.dso), '[]') || ']'
            end
            order by frames.depth desc
        ) as chain,
    from frames
    join symbol on symbol.symbol_id = frames.symbol_id
    group by frames.stack_id
)
select
    list_prepend(chosen.comm, chains.chain) as path,
    sum(chosen.weight)::hugeint as weight,  -- one period may have 63 bits
from chosen
join chains on chains.stack_id = chosen.stack_id
group by path
order by path
