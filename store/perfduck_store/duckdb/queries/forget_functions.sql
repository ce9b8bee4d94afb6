-- Forget the functions of whole binaries.
delete from elf_function
where dso in (select unnest($dsos::varchar[]))
