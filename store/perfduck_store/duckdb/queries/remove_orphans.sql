-- Stacks that no profile has any more, and symbols of no stack and no call.
delete from stack where stack_id not in (select stack_id from rollup);
delete from stack_symbol where stack_id not in (select stack_id from stack);
delete from stack_blame where stack_id not in (select stack_id from stack);
delete from symbol where symbol_id not in (
    select symbol_id from stack_symbol
    union all
    select caller_id from edge
    union all
    select callee_id from edge
)
