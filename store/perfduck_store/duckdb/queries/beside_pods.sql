-- The weight of what took CPU time of the pods that are asked for and is not blamed on one of them.
select coalesce(sum(pod_sample.weight), 0)::double
from pod_sample
join stack_blame on stack_blame.stack_id = pod_sample.stack_id
where stack_blame.context <> 'idle'
    and array_contains(chosen('pod'), pod_sample.task_pod)
    and not array_contains(chosen('pod'), pod_sample.pod)
