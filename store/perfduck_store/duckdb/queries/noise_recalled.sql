-- What was learned for a workload and unit: on such a host, else on any.
select host_class, subsystem, phi, cv, freedom, runs
from noise
where workload = $workload
    and unit = $unit
    and host_class = (
        select host_class
        from noise
        where workload = $workload and unit = $unit
        order by host_class <> $host, host_class
        limit 1
    )
order by subsystem
