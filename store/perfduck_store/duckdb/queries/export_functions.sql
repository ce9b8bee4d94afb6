-- The functions of the call chains that are picked, and the build id of their binary: the one that
-- the recordings note, if it is the same in all, else that of the ELF file that was read.
with recorded as (
    select dso, min(build_id) as first_id, max(build_id) as last_id
    from recorded_binary
    where is_chosen(profile_id)
    group by dso
),
binary_file as (
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
    case
        when recorded.dso is null then binary_file.build_id
        when recorded.first_id = recorded.last_id then recorded.first_id
    end as build_id
from symbol
left join recorded on recorded.dso = symbol.dso
left join binary_file on binary_file.dso = symbol.dso
where symbol.symbol_id in (
    select symbol_id
    from stack_symbol
    where stack_id in (select stack_id from picked)
)
order by symbol.symbol_id
