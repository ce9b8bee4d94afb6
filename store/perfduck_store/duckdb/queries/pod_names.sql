-- What the attached lists of some profiles name, the newest recording last.
select pod.pod_uid, pod.namespace, pod.pod, pod.container_id, pod.container
from pod
join profile on profile.profile_id = pod.profile_id
where list_contains($profiles::bigint[], pod.profile_id)
order by profile.started_at nulls first, profile.name, pod.pod_uid, pod.container_id
