-- No filter of stacks: all that is sampled.
create or replace temp view picked as
from sampled
