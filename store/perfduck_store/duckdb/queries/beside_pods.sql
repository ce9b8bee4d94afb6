-- The weight of what took CPU time of the pods that are asked for and is not blamed on one of them.
with wanted as (
    select unnest(getvariable('pod')::varchar[]) as pod
)
select coalesce(sum(pod_sample.weight), 0)::double
from pod_sample
join stack_blame on stack_blame.stack_id = pod_sample.stack_id
where stack_blame.context <> 'idle'
    and pod_sample.task_pod in (from wanted)
    and pod_sample.pod not in (from wanted)
