-- All that was learned.
select *
from noise
order by host_class, workload, unit, cv desc, subsystem
