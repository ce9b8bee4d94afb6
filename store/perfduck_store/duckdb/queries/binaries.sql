-- The ELF files that were read.
select
    dso,
    any_value(build_id) as build_id,
    count(*) as functions,
    count(source_file) as with_source,
from elf_function
group by dso
order by dso
