-- Stacks and functions of some recordings. {profiles}: a condition.
create or replace temp table used_stack as
select distinct stack_id from rollup where {profiles};

create or replace temp table used_symbol as
select symbol_id from stack_symbol where stack_id in (select stack_id from used_stack)
union
select caller_id from edge where {profiles}
union
select callee_id from edge where {profiles}
union
select symbol_id from leaf_offset where {profiles}
