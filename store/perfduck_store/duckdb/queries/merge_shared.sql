-- Stacks and symbols that this store lacks; those that it has keep their tags.
insert into stack_symbol by name
select * from other.stack_symbol where stack_id not in (select stack_id from stack);

insert into stack_blame by name
select * from other.stack_blame where stack_id not in (select stack_id from stack);

insert into stack by name
select * from other.stack where stack_id not in (select stack_id from stack);

insert into symbol by name
select * from other.symbol where symbol_id not in (select symbol_id from symbol);

insert into elf_function by name
select * from other.elf_function where dso not in (select dso from elf_function);

insert into noise by name
select theirs.*
from other.noise as theirs
anti join noise as ours
    on ours.host_class = theirs.host_class
    and ours.workload = theirs.workload
    and ours.unit = theirs.unit;

insert into tag_input by name
select theirs.*
from other.tag_input as theirs
anti join tag_input as ours
    on ours.kind = theirs.kind and ours.kernel_release = theirs.kernel_release
