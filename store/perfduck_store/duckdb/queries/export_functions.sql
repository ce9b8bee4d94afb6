-- The functions of the call chains that are picked, and the build id of their binary where its ELF
-- file was read.
with binary_file as (
    select dso, max(build_id) as build_id
    from elf_function
    group by dso
)
select
    symbol.symbol_id,
    symbol.name,
    symbol.dso,
    symbol.address,
    symbol.source_file,
    symbol.area,
    symbol.subsystem,
    symbol.class,
    binary_file.build_id,
from symbol
left join binary_file on binary_file.dso = symbol.dso
where symbol.symbol_id in (
    select symbol_id
    from stack_symbol
    where stack_id in (select stack_id from picked)
)
order by symbol.symbol_id
