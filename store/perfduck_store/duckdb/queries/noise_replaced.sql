-- Forget what was learned for the hosts, workloads and units of `incoming`.
delete from noise
where (host_class, workload, unit) in (select host_class, workload, unit from incoming)
