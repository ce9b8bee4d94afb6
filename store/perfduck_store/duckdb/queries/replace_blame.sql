-- What the stacks of `incoming` are blamed on, in place of before.
update stack_blame set
    symbol_id = new.symbol_id,
    subsystem = new.subsystem,
    context = new.context,
    direction = new.direction,
from incoming as new
where stack_blame.stack_id = new.stack_id
