-- Whose each control group is.
create or replace temp table pod_of as
select cgroup, pod, container
from incoming
