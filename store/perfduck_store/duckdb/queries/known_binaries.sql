-- Binaries among $dsos whose ELF files were read.
select distinct dso
from elf_function
where dso in (select unnest($dsos::varchar[]))
