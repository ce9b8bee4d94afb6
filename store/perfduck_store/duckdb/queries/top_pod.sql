-- By pod. blamed: see pod_sample.sql. self: what ran in its own context, no softirq and no interrupt.
-- total: all that took its CPU time, softirqs and interrupts included. Softirqs and interrupts have
-- rows of their own, with all of them as self and total.
with busy as (
    select picked.*
    from picked
    join stack_blame on stack_blame.stack_id = picked.stack_id
    where stack_blame.context <> 'idle'
),
part as (
    select pod, container, 0 as self, 0 as total, weight as blamed
    from busy
    union all
    select coalesce(beside, task_pod), container, weight, 0, 0
    from busy
    union all
    select task_pod, container, 0, weight, 0
    from busy
    union all
    select beside, null, 0, weight, 0
    from busy
    where beside is not null
),
named as (
    select pod, string_agg(container, ', ' order by container) as containers
    from (
        select distinct pod, container
        from part
        where pod not like '[%'
    )
    group by pod
),
by_pod as (
    select
        pod,
        sum(self)::double as self,
        sum(total)::double as total,
        sum(blamed)::double as blamed
    from part
    group by pod
)
select
    by_pod.pod,
    named.containers,
    by_pod.self,
    by_pod.total,
    by_pod.blamed,
    count(*) over () as row_count
from by_pod
left join named on named.pod = by_pod.pod
where by_pod.blamed > 0 or chosen('pod') is null
order by blamed desc, self desc, pod
limit $limit
