-- Where pick_samples.sql puts what it finds: the columns of the view that it replaces.
create or replace temp table picked_sample as
from sampled
limit 0
