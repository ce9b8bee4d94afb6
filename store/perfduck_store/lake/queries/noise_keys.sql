-- For what noise is known.
select distinct host_class, workload, unit
from noise
