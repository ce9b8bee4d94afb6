create or replace temp view picked as
from pod_sample
where getvariable('pod') is null
    or pod in (select unnest(getvariable('pod')::varchar[]))
