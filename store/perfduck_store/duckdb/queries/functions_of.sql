-- Functions of binaries whose ELF files were read.
select *
from elf_function
where dso in (select unnest($dsos::varchar[]))
order by dso, section, address, name, "offset"
