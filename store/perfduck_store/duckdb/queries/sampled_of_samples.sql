-- What pick_samples.sql found, in place of the rollup.
create or replace temp view sampled as
select *
from picked_sample
