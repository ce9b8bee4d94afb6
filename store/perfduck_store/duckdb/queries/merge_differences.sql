-- What is not of one recording and differs, before the merge: that of this store is kept.
select 'symbols whose tags differ', count(*)
from symbol as ours
join other.symbol as theirs on theirs.symbol_id = ours.symbol_id
where (theirs.area, theirs.subsystem, theirs.role, theirs.class)
    <> (ours.area, ours.subsystem, ours.role, ours.class)
union all
select 'binaries whose functions differ', count(*)
from (select dso, any_value(build_id) as build_id from elf_function group by dso) as ours
join (select dso, any_value(build_id) as build_id from other.elf_function group by dso) as theirs
    on theirs.dso = ours.dso
where theirs.build_id is distinct from ours.build_id
union all
select 'learned noise values that differ', count(*)
from noise as ours
join other.noise as theirs
    on theirs.host_class = ours.host_class
    and theirs.workload = ours.workload
    and theirs.unit = ours.unit
    and theirs.subsystem = ours.subsystem
where (theirs.cv, theirs.phi, theirs.freedom) is distinct from (ours.cv, ours.phi, ours.freedom)
union all
select 'tag inputs (rules, kallsyms) that differ', count(*)
from tag_input as ours
join other.tag_input as theirs
    on theirs.kind = ours.kind and theirs.kernel_release = ours.kernel_release
where theirs.content_hash <> ours.content_hash
