create or replace temp view picked as
select *
from pod_sample
where chosen('pod') is null or array_contains(chosen('pod'), pod)
